import { el } from "./dom.ts";
import { markedText } from "./passage.ts";
import { blocksOf, type Mark, type MarkKind } from "./segments.ts";

interface Block {
  readonly start: number;
  readonly text: string;
  readonly element: HTMLElement;
  /** What is drawn, to draw no block twice. */
  drawn: string;
}

/**
 * A passage of any length, whose marks change often: it is cut into blocks between lines, and only blocks whose marks changed
 * are drawn again. Positions are UTF-16 units of the whole passage.
 */
export class PassageView {
  readonly element = el("div", { class: "passage" });
  readonly #blocks: readonly Block[];

  constructor(passage: string) {
    let start = 0;
    this.#blocks = blocksOf(passage).map((text) => {
      const block = { start, text, element: el("p", { dir: "auto" }, text), drawn: "[]" };
      start += text.length;
      return block;
    });
    this.element.append(...this.#blocks.map((block) => block.element));
  }

  /** Shows these marks and no others. */
  mark(marks: readonly Mark[]): void {
    for (const block of this.#blocks) {
      const { start, text } = block;
      const inside = marks
        .filter((mark) => mark.start < start + text.length && mark.end > start)
        .map((mark) => ({ kind: mark.kind, start: mark.start - start, end: mark.end - start }));
      const drawn = JSON.stringify(inside);
      if (drawn === block.drawn) continue;
      block.drawn = drawn;
      block.element.replaceChildren(...markedText(text, inside));
    }
  }

  /**
   * Scrolls the box around the passage until the first mark of a kind is in it; at once for those who want less motion. The page
   * around the box stays where it is.
   */
  reveal(kind: MarkKind, box: Element): void {
    const mark = this.element.querySelector(`mark.${kind}`)?.getBoundingClientRect();
    const { top, bottom, height } = box.getBoundingClientRect();
    if (!mark || (mark.top >= top && mark.bottom <= bottom)) return;
    const wantsLessMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
    box.scrollBy({ top: mark.top - top - height / 3, behavior: wantsLessMotion ? "auto" : "smooth" });
  }
}
