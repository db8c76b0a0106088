import { byId } from "@bertqa/ui";
import type { PassagePane } from "./passage-pane.ts";
import { ownPassage } from "./passages.ts";

/** Files chosen or dropped, and text dropped or pasted anywhere but in a field, become the passage. */
export function listenToFiles(pane: PassagePane, tell: (problem: string) => void): void {
  const file = byId<HTMLInputElement>("file");
  byId("open-file").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    void pane.read(file.files?.[0], tell);
    file.value = "";
  });
  const take = (data: DataTransfer | null, title: string) => {
    const text = data?.getData("text/plain") ?? "";
    if (data?.files[0]) void pane.read(data.files[0], tell);
    else if (text.trim() !== "") pane.show(ownPassage(title, text));
  };
  document.addEventListener("paste", (event) => {
    if (!isField(event.target)) take(event.clipboardData, "Pasted text");
  });
  const setDropping = (isDropping: boolean) => document.body.classList.toggle("dropping", isDropping);
  document.addEventListener("dragover", (event) => {
    if (isTextIntoField(event)) return;
    event.preventDefault();
    setDropping(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) setDropping(false);
  });
  document.addEventListener("drop", (event) => {
    setDropping(false);
    if (isTextIntoField(event)) return;
    event.preventDefault();
    take(event.dataTransfer, "Dropped text");
  });
}

/** `/` goes to the question; arrows move from it through the spans of the answer, Escape back. */
export function listenToKeys(): void {
  const question = byId<HTMLInputElement>("question");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return;
    event.preventDefault();
    question.focus();
    question.select();
  });
  const move = (event: KeyboardEvent) => {
    const stops = [question, ...document.querySelectorAll<HTMLElement>("#answer [data-span]")];
    const at = stops.indexOf(event.target as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Escape: 0 }[event.key];
    const stop = to === undefined || at < 0 || byId("answer").hidden ? undefined : stops[to];
    if (!stop) return;
    event.preventDefault();
    stop.focus();
  };
  question.addEventListener("keydown", move);
  byId("answer").addEventListener("keydown", move);
}

/** Which the browser puts there itself. */
function isTextIntoField({ target, dataTransfer }: DragEvent): boolean {
  return isField(target) && !dataTransfer?.types.includes("Files");
}

function isField(target: EventTarget | null): boolean {
  return target instanceof Element && target.matches("input, textarea, select");
}
