export * from "./dom.ts";
export * from "./format.ts";
export * from "./passage.ts";
export * from "./passage-view.ts";
export * from "./segments.ts";
export * from "./share-bar.ts";
export * from "./virtual-list.ts";
