import { el } from "./dom.ts";
import { segmentsOf, type Mark, type MarkKind } from "./segments.ts";

const names: Readonly<Record<MarkKind, string>> = { gold: "gold", predicted: "predicted", candidate: "candidate" };

/** The passage with its marks; screen readers hear where each starts and ends. */
export function passageElement(passage: string, marks: readonly Mark[]): HTMLElement {
  const parts = segmentsOf(passage, marks).map(({ text, kinds }) => {
    if (kinds.length === 0) return document.createTextNode(text);
    const label = kinds.map((kind) => names[kind]).join(" and ");
    return el("mark", { class: kinds.join(" ") }, unseen(`[${label}: `), text, unseen("]"));
  });
  return el("p", { class: "passage", dir: "auto" }, ...parts);
}

/** Which look means what. */
export function passageLegend(kinds: readonly MarkKind[]): HTMLElement {
  return el(
    "p",
    { class: "mark-legend", "aria-hidden": "true" },
    ...kinds.map((kind) => el("mark", { class: kind }, names[kind])),
  );
}

function unseen(text: string): HTMLElement {
  return el("span", { class: "unseen" }, text);
}
