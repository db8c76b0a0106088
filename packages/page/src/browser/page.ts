import { byId, el } from "@bertqa/ui";
import { answerElements, mainKind, mainSpan, markOf, spokenAnswer, type Entry } from "./answer-view.ts";
import { PageError, type BackEnd, type Candidate } from "./back-end.ts";
import { listenToFiles, listenToKeys } from "./gestures.ts";
import { HistoryList } from "./history-list.ts";
import { Loading } from "./loading.ts";
import { PassagePane } from "./passage-pane.ts";
import type { Passage } from "./passages.ts";

/** The answer and the runner-ups beside it. */
const candidatesShown = 5;

/** The examples, put in when the page is built. */
declare const pageExamples: readonly Passage[];

export interface PageParts {
  readonly backEnd: BackEnd;
  /** Takes the token that a person typed, where the back end may want one. */
  readonly setToken?: (token: string) => void;
}

/** Makes the page in the document live. Resolves once the model is ready, for the first time. */
export async function startPage(parts: PageParts): Promise<void> {
  await new Page(parts).ready;
}

class Page {
  readonly #parts: PageParts;
  readonly ready: Promise<void>;
  readonly #loading: Loading;
  readonly #pane: PassagePane;
  readonly #history = new HistoryList((entry) => this.#choose(entry));
  readonly #question = byId<HTMLInputElement>("question");
  #running: AbortController | undefined;

  constructor(parts: PageParts) {
    this.#parts = parts;
    this.#pane = new PassagePane(pageExamples, (passage) => this.#passageChanged(passage));
    this.#listenToForms();
    listenToFiles(this.#pane, (problem) => this.#say(problem));
    listenToKeys();
    this.#loading = new Loading(parts.backEnd);
    this.ready = this.#loading.firstReady;
  }

  // Asking

  async #ask(): Promise<void> {
    if (this.#running) return;
    const question = this.#question.value.trim();
    const { passage } = this.#pane;
    if (passage.text.trim() === "") return this.#say("There is no text yet: paste one, or choose a passage.");
    if (question === "") {
      this.#question.focus();
      return this.#say("Type a question first.");
    }
    const running = new AbortController();
    this.#setRunning(running);
    try {
      this.#tell("Waiting for the model …");
      await this.#loading.ready(running.signal);
      this.#tell("Reading …");
      const startedAt = performance.now();
      const asked = { question, context: passage.text, topK: candidatesShown };
      const answer = await this.#parts.backEnd.answer(asked, running.signal, (done, total) => {
        if (total > 1) this.#tell(`Reading: ${done} of ${total} windows …`);
      });
      const entry = { question, passage, answer, elapsedMs: performance.now() - startedAt };
      this.#history.add(entry);
      this.#tell("");
      this.#choose(entry);
      byId("spoken").textContent = spokenAnswer(entry);
    } catch (error) {
      this.#fail(error, running.signal);
    } finally {
      this.#setRunning(undefined);
    }
  }

  #fail(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return this.#say("Stopped.");
    byId("token-form").hidden = !(error instanceof PageError && error.wantsToken);
    if (error instanceof PageError && error.wantsToken) byId("token").focus();
    this.#say(error instanceof Error ? error.message : String(error));
  }

  #setRunning(running: AbortController | undefined): void {
    this.#running = running;
    const stop = byId("stop");
    const [was, is] = running ? [byId("submit"), stop] : [stop, byId("submit")];
    const hadFocus = document.activeElement === was;
    was.hidden = true;
    is.hidden = false;
    if (hadFocus) is.focus();
    document.documentElement.dataset["busy"] = String(running !== undefined);
  }

  /** A line under the question. */
  #tell(line: string): void {
    byId("state").textContent = line;
  }

  /** A line that screen readers say at once, too. */
  #say(line: string): void {
    this.#tell(line);
    byId("spoken").textContent = line;
  }

  // Showing

  /** Shows an answer beside its passage. */
  #choose(entry: Entry): void {
    if (entry.passage !== this.#pane.passage) this.#pane.show(entry.passage);
    const card = byId("answer");
    card.replaceChildren(
      ...answerElements(entry, {
        point: (candidate) => this.#mark(entry, candidate),
        go: (candidate) => {
          this.#mark(entry, candidate);
          this.#pane.reveal(candidate.utf16 === entry.answer.span?.utf16 ? "answer" : "candidate");
        },
      }),
    );
    card.hidden = false;
    this.#mark(entry);
    this.#pane.reveal(mainKind(entry));
    this.#history.draw(entry);
  }

  #mark(entry: Entry, candidate?: Candidate): void {
    const main = mainSpan(entry);
    const marks = main ? [markOf(mainKind(entry), main)] : [];
    const isOther = candidate && candidate.utf16 !== entry.answer.span?.utf16;
    this.#pane.mark(isOther ? [...marks, markOf("candidate", candidate)] : marks);
    // By key one moves to a span in order to see it; a pointer that passes by should not move the text.
    if (isOther && document.activeElement?.matches("#answer [data-span]:focus-visible")) this.#pane.reveal("candidate");
  }

  #passageChanged({ questions }: Passage): void {
    byId("answer").hidden = true;
    this.#history.draw(undefined);
    const buttons = questions.map((question) => {
      const button = el("button", { type: "button" }, question);
      button.addEventListener("click", () => {
        this.#question.value = question;
        void this.#ask();
      });
      return el("li", {}, button);
    });
    byId("suggestions").replaceChildren(...buttons);
  }

  // Listening

  #listenToForms(): void {
    byId("ask").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#ask();
    });
    byId("stop").addEventListener("click", () => this.#running?.abort());
    byId("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#parts.setToken?.(byId<HTMLInputElement>("token").value.trim());
      byId("token-form").hidden = true;
      void this.#ask();
    });
  }
}
