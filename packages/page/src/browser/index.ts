export * from "./back-end.ts";
export { addFact, addRemark } from "./loading.ts";
export { startPage, type PageParts } from "./page.ts";
