import { byId, counted, el, PassageView, type Mark, type MarkKind } from "@bertqa/ui";
import { ownPassage, readPassageFile, type Passage } from "./passages.ts";

const newText = "new";

/** The left-hand side: a passage to read, with its marks, or to write. */
export class PassagePane {
  readonly #passages: Passage[];
  readonly #onChange: (passage: Passage) => void;
  readonly #choice = byId<HTMLSelectElement>("examples");
  readonly #reading = byId("reading");
  readonly #writing = byId<HTMLTextAreaElement>("writing");
  readonly #edit = byId<HTMLButtonElement>("edit");
  #passage: Passage;
  #view = new PassageView("");

  /** @param onChange called when another passage is shown */
  constructor(examples: readonly Passage[], onChange: (passage: Passage) => void) {
    this.#passages = [...examples];
    this.#onChange = onChange;
    this.#passage = examples[0] ?? ownPassage("Your text", "");
    this.#listen();
    this.#show(this.#passage);
  }

  /** What is there to ask about, what is being written included. */
  get passage(): Passage {
    if (!this.#writing.hidden) this.#finishWriting();
    // A text that was cleared is none: the one before it must not be asked in its place.
    return this.#writing.hidden ? this.#passage : ownPassage("Your text", "");
  }

  /** Shows another passage; what is being written is kept as one to choose. */
  show(passage: Passage): void {
    if (!this.#writing.hidden) this.#finishWriting();
    this.#show(passage);
  }

  #show(passage: Passage): void {
    if (!this.#passages.includes(passage) && passage.text !== "") this.#passages.push(passage);
    this.#passage = passage;
    this.#view = new PassageView(passage.text);
    this.#reading.replaceChildren(this.#view.element);
    this.#reading.scrollTop = 0;
    this.#drawChoice();
    this.#setWriting(passage.text === "");
    const words = passage.text.match(/\S+/g)?.length ?? 0;
    byId("passage-facts").textContent = `${counted(words, "word")} · drop a text or Markdown file anywhere, or paste`;
    this.#onChange(passage);
  }

  mark(marks: readonly Mark[]): void {
    this.#view.mark(marks);
  }

  reveal(kind: MarkKind): void {
    this.#view.reveal(kind, this.#reading);
  }

  /** Shows a file as the passage; `tell` hears why it cannot be. */
  async read(file: File | undefined, tell: (problem: string) => void): Promise<void> {
    if (!file) return;
    const read = await readPassageFile(file);
    if (typeof read === "string") tell(read);
    else this.show(read);
  }

  /** Opens an empty page to write on. */
  write(): void {
    this.show(ownPassage("Your text", ""));
    this.#writing.focus();
  }

  #listen(): void {
    this.#choice.addEventListener("change", () => {
      if (this.#choice.value === newText) this.write();
      else this.show(this.#passages[Number(this.#choice.value)]!);
    });
    this.#edit.addEventListener("click", () => {
      if (this.#writing.hidden) {
        this.#setWriting(true);
        this.#writing.focus();
      } else this.#finishWriting();
    });
    this.#writing.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.#finishWriting();
      this.#edit.focus();
    });
  }

  #drawChoice(): void {
    const options = this.#passages.map(({ title }, index) => el("option", { value: String(index) }, title));
    this.#choice.replaceChildren(...options, el("option", { value: newText }, "A text of your own …"));
    const index = this.#passages.indexOf(this.#passage);
    this.#choice.value = index < 0 ? newText : String(index);
  }

  #setWriting(isWriting: boolean): void {
    this.#writing.hidden = !isWriting;
    this.#reading.hidden = isWriting;
    this.#edit.textContent = isWriting ? "Done" : "Edit";
    if (isWriting) this.#writing.value = this.#passage.text;
  }

  /** A changed example becomes a text of one's own; one's own text is replaced. */
  #finishWriting(): void {
    const text = this.#writing.value;
    if (text.trim() === "") return;
    if (text === this.#passage.text) return this.#setWriting(false);
    const isExample = this.#passage.questions.length > 0 || this.#passage.text === "";
    const written = ownPassage(isExample ? "Your text" : this.#passage.title, text);
    const index = this.#passages.indexOf(this.#passage);
    if (!isExample && index >= 0) this.#passages[index] = written;
    this.#show(written);
  }
}
