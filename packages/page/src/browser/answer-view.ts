import { counted, decimal, el, percent, shareBar, type Mark, type MarkKind } from "@bertqa/ui";
import type { Answer, Candidate } from "./back-end.ts";
import type { Passage } from "./passages.ts";

/** A question that was answered. */
export interface Entry {
  readonly question: string;
  readonly passage: Passage;
  readonly answer: Answer;
  readonly elapsedMs: number;
}

/** What pointing at a span, moving to it by key, or pressing it does. */
export interface SpanActions {
  point(candidate: Candidate | undefined): void;
  go(candidate: Candidate): void;
}

/** The span that the passage shows for an answer: what is given, or what was rejected. */
export function mainSpan({ answer }: Entry): Candidate | undefined {
  return answer.span ? { text: answer.answer, score: answer.score, utf16: answer.span.utf16 } : answer.candidates[0];
}

export function markOf(kind: MarkKind, { utf16: [start, end] }: Candidate): Mark {
  return { kind, start, end };
}

export function mainKind({ answer }: Entry): MarkKind {
  return answer.span ? "answer" : "rejected";
}

/** One line that says everything, for screen readers. */
export function spokenAnswer(entry: Entry): string {
  const { answer } = entry;
  if (answer.span) return `Answer: ${answer.answer}. ${percent(answer.score)} probable.`;
  const rejected = mainSpan(entry);
  const closest = rejected ? ` Closest span, rejected: ${rejected.text}, ${percent(rejected.score)}.` : "";
  return `No answer in this passage. ${percent(answer.noAnswerProbability)} probable.${closest}`;
}

/** The card of one answer. */
export function answerElements(entry: Entry, actions: SpanActions): HTMLElement[] {
  const { answer, question } = entry;
  const main = mainSpan(entry);
  const others = answer.candidates.slice(1);
  const heading = el("h2", { id: "answer-heading", dir: "auto" }, question);
  const given = answer.span ? givenAnswer(entry, actions) : noAnswer(entry);
  const rejected =
    !answer.span && main
      ? [el("h3", {}, "Closest span, rejected"), el("ul", { class: "spans" }, spanRow(main, "rejected", actions))]
      : [];
  const runnersUp =
    others.length > 0
      ? [
          el("h3", {}, "Runner-ups"),
          el("ol", { class: "spans" }, ...others.map((candidate) => spanRow(candidate, "runner-up", actions))),
        ]
      : [];
  return [heading, given, ...rejected, ...runnersUp, factsOf(entry)];
}

function givenAnswer({ answer }: Entry, actions: SpanActions): HTMLElement {
  const candidate = { text: answer.answer, score: answer.score, utf16: answer.span!.utf16 };
  const text = el("mark", { class: "answer", dir: "auto" }, answer.answer);
  const button = el("button", { type: "button", class: "plain", "data-span": "answer", title: "Show it" }, text);
  button.addEventListener("click", () => actions.go(candidate));
  return el("div", { class: "given" }, el("p", {}, button), probability(answer.score, "probable"));
}

function noAnswer({ answer }: Entry): HTMLElement {
  return el(
    "div",
    { class: "given" },
    el("p", { class: "no-answer" }, "No answer in this passage"),
    probability(answer.noAnswerProbability, "probable"),
  );
}

function probability(share: number, words: string): HTMLElement {
  return el("p", { class: "probability" }, el("strong", {}, percent(share)), ` ${words}`, shareBar(share));
}

/** Pointing at a span, or moving to it by key, shows it in the passage. */
function spanRow(candidate: Candidate, kind: string, actions: SpanActions): HTMLElement {
  const text = el("span", { class: "text", dir: "auto" }, candidate.text);
  const share = el("span", { class: "share" }, percent(candidate.score));
  const button = el(
    "button",
    { type: "button", class: "plain", "data-span": kind },
    text,
    el("span", { class: "unseen" }, ", "),
    share,
    shareBar(candidate.score),
  );
  button.addEventListener("click", () => actions.go(candidate));
  for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => actions.point(candidate));
  for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => actions.point(undefined));
  return el("li", {}, button);
}

function factsOf({ answer, elapsedMs }: Entry): HTMLElement {
  const facts = [
    answer.span ? `no answer: ${percent(answer.noAnswerProbability)}` : null,
    counted(answer.windowCount, "window"),
    `${decimal(elapsedMs / 1000, 2)} s`,
  ];
  return el("p", { class: "hint" }, facts.filter((fact) => fact !== null).join(" · "));
}
