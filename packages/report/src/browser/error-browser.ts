import { byId, decimal, el, VirtualList, whole } from "@bertqa/ui";
import { detailOf, outcomeElement } from "./detail.ts";
import { filters, orders, select, type Questions, type Selection } from "./questions.ts";
import type { PageData } from "../page-data.ts";

/** The height of `.row` in the style sheet. */
const rowHeight = 58;

/** Finds, lists and shows questions: the state of the second view and all that changes it. */
export class ErrorBrowser {
  readonly #questions: Questions;
  readonly #list: VirtualList;
  readonly #searchBox = byId<HTMLInputElement>("search");
  readonly #thresholds = byId<HTMLSelectElement>("threshold");
  readonly #orders = byId<HTMLSelectElement>("order");
  #filter = 0;
  #selection: Selection = { shown: [], counts: [] };
  /** The question that is shown, an index into the page's data; −1 for none. */
  #question = -1;

  constructor(questions: Questions) {
    this.#questions = questions;
    this.#list = new VirtualList(byId("list"), rowHeight, (row, position) => this.#fillRow(row, position));
    this.#thresholds.append(...questions.data.thresholds.map(thresholdOption));
    this.#thresholds.selectedIndex = questions.data.primary;
    this.#orders.append(...orders.map((name) => el("option", {}, name)));
    byId("filters").append(...filters.map((filter, index) => this.#filterButton(filter.name, index)));
    this.#listen();
    this.refresh();
  }

  /** Shows a question; a filter or search that hides it is taken back. */
  open(index: number): void {
    this.#question = index;
    if (!this.#selection.shown.includes(index)) {
      this.#filter = 0;
      this.#searchBox.value = "";
    }
    this.refresh();
  }

  search(words: string): void {
    this.#searchBox.value = words;
    this.refresh();
  }

  /** Lists what the choice leaves; keeps the question that is shown where it is still listed. */
  refresh(): void {
    const { value: search } = this.#searchBox;
    const choice = { filter: this.#filter, threshold: this.#threshold, order: this.#orders.selectedIndex, search };
    this.#selection = select(this.#questions, choice);
    const position = Math.max(0, this.#selection.shown.indexOf(this.#question));
    this.#question = this.#selection.shown[position] ?? -1;
    this.#list.show(this.#selection.shown.length, this.#question === -1 ? -1 : position);
    this.#drawFilters();
    this.#drawQuestion();
  }

  onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target instanceof HTMLElement ? event.target : document.body;
    if (event.key === "Escape") {
      this.search("");
      target.blur();
    } else if (!target.matches("input, select, textarea")) this.#onCommand(event, target);
  }

  #onCommand(event: KeyboardEvent, target: HTMLElement): void {
    const moves: Readonly<Record<string, number>> = { j: 1, k: -1 };
    const listMoves: Readonly<Record<string, number>> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: this.#list.pageRows,
      PageUp: -this.#list.pageRows,
      Home: -Infinity,
      End: Infinity,
    };
    const move = moves[event.key] ?? (target === byId("list") ? listMoves[event.key] : undefined);
    if (event.key === "/") this.#searchBox.focus();
    else if (move !== undefined) this.#move(move);
    else return;
    event.preventDefault();
  }

  #move(by: number): void {
    const { shown } = this.#selection;
    const position = shown.indexOf(this.#question) + by;
    this.#choose(Math.min(shown.length - 1, Math.max(0, position)));
  }

  #choose(position: number): void {
    const question = this.#selection.shown[position];
    if (question === undefined || question === this.#question) return;
    this.#question = question;
    this.#list.choose(position);
    this.#drawQuestion();
  }

  get #threshold(): number | null {
    const chosen = this.#questions.data.thresholds[this.#thresholds.selectedIndex];
    return chosen ? chosen.nullOdds : 0;
  }

  #listen(): void {
    this.#searchBox.addEventListener("input", () => this.refresh());
    this.#thresholds.addEventListener("change", () => this.refresh());
    this.#orders.addEventListener("change", () => this.refresh());
    byId("next").addEventListener("click", () => this.#move(1));
    byId("previous").addEventListener("click", () => this.#move(-1));
    byId("list").addEventListener("click", (event) => {
      const row = event.target instanceof Element ? event.target.closest<HTMLElement>(".row") : null;
      if (row) this.#choose(Number(row.dataset["position"]));
    });
  }

  #filterButton(name: string, index: number): HTMLElement {
    const button = el("button", { type: "button" }, name, " ", el("span", { class: "count" }));
    button.addEventListener("click", () => {
      this.#filter = index;
      this.refresh();
    });
    return button;
  }

  #drawFilters(): void {
    [...byId("filters").children].forEach((button, index) => {
      button.setAttribute("aria-pressed", String(index === this.#filter));
      const count = button.querySelector(".count");
      if (count) count.textContent = whole(this.#selection.counts[index] ?? 0);
    });
  }

  #fillRow(row: HTMLElement, position: number): void {
    const index = this.#selection.shown[position] ?? 0;
    const outcome = this.#questions.outcome(index, this.#threshold);
    row.append(
      el("span", { dir: "auto" }, this.#questions.data.questions.question[index] ?? ""),
      el("span", {}, outcomeElement(outcome, ""), ` · ${this.#questions.article(index).replaceAll("_", " ")}`),
    );
  }

  #drawQuestion(): void {
    const { shown } = this.#selection;
    const detail = byId("detail");
    if (this.#question === -1) {
      detail.replaceChildren(el("p", {}, "No question fits."));
      byId("position").textContent = "0 of 0";
      return;
    }
    detail.replaceChildren(...detailOf(this.#questions, this.#question, this.#threshold));
    detail.scrollTop = 0;
    // On a narrow screen the whole page scrolls: go back to the top of the new question.
    if (detail.getBoundingClientRect().top < 0) detail.scrollIntoView();
    const position = shown.indexOf(this.#question);
    const heard = `: ${this.#questions.data.questions.question[this.#question] ?? ""}`;
    byId("position").replaceChildren(
      `${whole(position + 1)} of ${whole(shown.length)}`,
      el("span", { class: "unseen" }, heard),
    );
    byId<HTMLButtonElement>("previous").disabled = position === 0;
    byId<HTMLButtonElement>("next").disabled = position === shown.length - 1;
    if (!byId("questions-view").hidden) this.#putIntoAddress();
  }

  /** Not a step in the history: "back" leaves the browser at once, however many questions were read. */
  #putIntoAddress(): void {
    const id = this.#questions.data.questions.id[this.#question] ?? "";
    history.replaceState(null, "", `#id=${encodeURIComponent(id)}`);
  }
}

function thresholdOption({ label, nullOdds }: PageData["thresholds"][number]): HTMLElement {
  const isPlain = nullOdds === null || label === "0";
  return el("option", {}, isPlain ? label : `${decimal(nullOdds, 2)}: ${label}`);
}
