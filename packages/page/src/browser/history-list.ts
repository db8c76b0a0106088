import { byId, el, percent } from "@bertqa/ui";
import type { Entry } from "./answer-view.ts";

/** All questions of the session, the last one first. Nothing of it is stored. */
export class HistoryList {
  readonly #entries: Entry[] = [];
  readonly #onChoose: (entry: Entry) => void;

  constructor(onChoose: (entry: Entry) => void) {
    this.#onChoose = onChoose;
  }

  add(entry: Entry): void {
    this.#entries.unshift(entry);
  }

  /** Draws the list; `shown` is the entry whose answer is on the page. */
  draw(shown: Entry | undefined): void {
    byId("history").hidden = this.#entries.length < 2;
    byId("asked").replaceChildren(...this.#entries.map((entry) => this.#row(entry, entry === shown)));
  }

  #row(entry: Entry, isShown: boolean): HTMLElement {
    const { answer, question, passage } = entry;
    const given = answer.span
      ? el("span", { class: "text", dir: "auto" }, answer.answer)
      : el("span", { class: "text no-answer" }, "no answer");
    const button = el(
      "button",
      { type: "button", class: "plain", "aria-current": String(isShown) },
      el("span", { class: "asked-question", dir: "auto" }, question),
      el("span", { class: "unseen" }, ": "),
      given,
      el("span", { class: "share" }, percent(answer.score), el("span", { class: "of" }, ` · ${passage.title}`)),
    );
    button.addEventListener("click", () => {
      this.#onChoose(entry);
      byId("asked").querySelector<HTMLElement>('[aria-current="true"]')?.focus();
    });
    return el("li", {}, button);
  }
}
