import { el } from "./dom.ts";

/** Rows drawn beyond each edge of what is seen, so that a quick scroll shows no gap. */
const spareRows = 8;

/**
 * A listbox that holds only the rows in sight, whatever the count. Rows have one fixed height; the one that is chosen
 * always exists, since `aria-activedescendant` must name a row.
 */
export class VirtualList {
  readonly #box: HTMLElement;
  readonly #spacer = el("div", { class: "spacer", role: "presentation" });
  readonly #rowHeight: number;
  readonly #fill: (row: HTMLElement, position: number) => void;
  #count = 0;
  #chosen = -1;
  #drawn = "";

  constructor(box: HTMLElement, rowHeight: number, fill: (row: HTMLElement, position: number) => void) {
    this.#box = box;
    this.#rowHeight = rowHeight;
    this.#fill = fill;
    box.replaceChildren(this.#spacer);
    box.addEventListener("scroll", () => this.#draw(), { passive: true });
    new ResizeObserver(() => this.#draw()).observe(box);
  }

  /** Shows other rows; `chosen` is a position among them, −1 for none. */
  show(count: number, chosen: number): void {
    this.#count = count;
    this.#drawn = "";
    this.#spacer.style.height = `${count * this.#rowHeight}px`;
    this.choose(chosen);
  }

  /** Marks a row and brings it into sight. */
  choose(position: number): void {
    this.#chosen = position;
    const top = position * this.#rowHeight;
    const { scrollTop, clientHeight } = this.#box;
    if (position < 0) this.#box.scrollTop = 0;
    else if (top < scrollTop) this.#box.scrollTop = top;
    else if (top + this.#rowHeight > scrollTop + clientHeight) {
      this.#box.scrollTop = top + this.#rowHeight - clientHeight;
    }
    this.#drawn = "";
    this.#draw();
  }

  /** Rows that fit into the box, for page keys. */
  get pageRows(): number {
    return Math.max(1, Math.floor(this.#box.clientHeight / this.#rowHeight) - 1);
  }

  #draw(): void {
    const { scrollTop, clientHeight } = this.#box;
    const first = Math.max(0, Math.floor(scrollTop / this.#rowHeight) - spareRows);
    const last = Math.min(this.#count, Math.ceil((scrollTop + clientHeight) / this.#rowHeight) + spareRows);
    const range = `${first}-${last}`;
    if (range === this.#drawn) return;
    this.#drawn = range;
    const positions = Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index);
    if (this.#chosen >= 0 && !positions.includes(this.#chosen)) positions.push(this.#chosen);
    this.#spacer.replaceChildren(...positions.map((position) => this.#row(position)));
    if (this.#chosen >= 0) this.#box.setAttribute("aria-activedescendant", `row-${this.#chosen}`);
    else this.#box.removeAttribute("aria-activedescendant");
  }

  #row(position: number): HTMLElement {
    const row = el("div", {
      id: `row-${position}`,
      class: "row",
      role: "option",
      "data-position": String(position),
      "aria-selected": String(position === this.#chosen),
      "aria-posinset": String(position + 1),
      "aria-setsize": String(this.#count),
    });
    row.style.top = `${position * this.#rowHeight}px`;
    this.#fill(row, position);
    return row;
  }
}
