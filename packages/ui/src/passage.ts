import { el } from "./dom.ts";
import { segmentsOf, type Mark, type MarkKind } from "./segments.ts";

/** The passage with its marks; screen readers hear where each starts and ends. */
export function passageElement(passage: string, marks: readonly Mark[]): HTMLElement {
  return el("p", { class: "passage", dir: "auto" }, ...markedText(passage, marks));
}

/** A text as nodes, with its marks. */
export function markedText(text: string, marks: readonly Mark[]): Node[] {
  const unseen = (text: string) => el("span", { class: "unseen" }, text);
  return segmentsOf(text, marks).map(({ text, kinds }) =>
    kinds.length === 0
      ? document.createTextNode(text)
      : el("mark", { class: kinds.join(" ") }, unseen(`[${kinds.join(" and ")}: `), text, unseen("]")),
  );
}

/** Which look means what. */
export function passageLegend(kinds: readonly MarkKind[]): HTMLElement {
  const names = kinds.map((kind) => el("mark", { class: kind }, kind));
  return el("p", { class: "mark-legend", "aria-hidden": "true" }, ...names);
}
