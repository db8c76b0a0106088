import { decimal, el, passageElement, passageLegend, shareBar, type Mark, type MarkKind } from "@bertqa/ui";
import type { Outcome } from "@bertqa/squad";
import { outcomeSigns } from "../outcome-signs.ts";
import type { SpanOrText } from "../page-data.ts";
import type { Candidate, Questions } from "./questions.ts";

/** Everything about one question at a threshold on its null odds, as elements for the right-hand pane. */
export function detailOf(questions: Questions, index: number, threshold: number | null): HTMLElement[] {
  const { id: ids, question } = questions.data.questions;
  const id = ids[index] ?? "";
  const outcome = questions.outcome(index, threshold);
  const passage = el("div", { class: "passage-box" });
  const showPassage = (candidate?: Candidate) => drawPassage(passage, questions, index, threshold, candidate);
  showPassage();
  const header = el(
    "header",
    {},
    outcomeElement(outcome, "badge"),
    el("span", { class: "article-name muted" }, questions.article(index).replaceAll("_", " ")),
    el("a", { class: "question-id", href: `#id=${encodeURIComponent(id)}`, title: "Link to this question" }, id),
  );
  return [
    header,
    el("h2", { dir: "auto" }, question[index] ?? ""),
    answersOf(questions, index, threshold),
    passage,
    factsOf(questions, index, threshold),
    nbestOf(questions.candidates(index), showPassage),
  ];
}

function answersOf(questions: Questions, index: number, threshold: number | null): HTMLElement {
  const gold = questions.gold(index).map(({ text, count }) => {
    const times = count > 1 ? el("span", { class: "muted" }, ` × ${count}`) : null;
    return el("li", {}, el("mark", { class: "gold", dir: "auto" }, text), times);
  });
  const best = questions.textOf(index, questions.data.questions.best[index] ?? "");
  const predicted = questions.scores(index, threshold).isAnswered
    ? [el("mark", { class: "predicted", dir: "auto" }, best)]
    : [
        noAnswer(),
        best === "" ? null : el("p", { class: "rejected" }, "best span, rejected: ", el("q", { dir: "auto" }, best)),
      ];
  return el(
    "div",
    { class: "answers" },
    el("div", {}, el("h3", {}, "Gold"), gold.length > 0 ? el("ul", {}, ...gold) : noAnswer()),
    el("div", {}, el("h3", {}, "Predicted"), ...predicted),
  );
}

/** An outcome with its sign before it. */
export function outcomeElement(outcome: Outcome, className: string): HTMLElement {
  return el("span", { class: className, "data-outcome": outcome, "data-sign": outcomeSigns[outcome] }, outcome);
}

function noAnswer(): HTMLElement {
  return el("span", { class: "no-answer" }, "no answer");
}

function drawPassage(
  box: HTMLElement,
  questions: Questions,
  index: number,
  threshold: number | null,
  candidate?: Candidate,
): void {
  const gold = questions.gold(index).flatMap(({ answer }) => marksOf("gold", answer));
  const best = questions.data.questions.best[index] ?? "";
  const predicted = questions.scores(index, threshold).isAnswered ? marksOf("predicted", best) : [];
  const chosen = candidate?.span ? marksOf("candidate", candidate.span) : [];
  const marks = [...gold, ...predicted, ...chosen];
  const kinds = [...new Set(marks.map((mark) => mark.kind))];
  const legend = kinds.length > 0 ? [passageLegend(kinds)] : [];
  box.replaceChildren(...legend, passageElement(questions.context(index), marks));
}

function marksOf(kind: MarkKind, answer: SpanOrText): Mark[] {
  return typeof answer === "string" ? [] : [{ kind, start: answer[0], end: answer[1] }];
}

function factsOf(questions: Questions, index: number, threshold: number | null): HTMLElement {
  const { nullOdds, noAnswerProbability } = questions.data.questions;
  const odds = nullOdds[index] ?? 0;
  const { exact, f1 } = questions.scores(index, threshold);
  const relation =
    threshold === null ? "" : `${odds > threshold ? "above" : "within"} the threshold ${decimal(threshold, 2)}`;
  const probability = noAnswerProbability[index] ?? 0;
  const fact = (name: string, ...value: (string | HTMLElement)[]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, ...value));
  return el(
    "dl",
    { class: "question-facts" },
    fact("Exact", decimal(exact * 100, 0)),
    fact("F1", decimal(f1 * 100, 1)),
    fact("Null odds", decimal(odds, 2), el("span", { class: "muted" }, relation)),
    fact("No-answer probability", decimal(probability, 2), shareBar(probability)),
  );
}

/** The candidates; pointing at one, or moving to it by key, shows it in the passage. */
function nbestOf(candidates: readonly Candidate[], show: (candidate?: Candidate) => void): HTMLElement {
  if (candidates.length === 0) return el("p", { class: "note" }, "These predictions came without an n-best list.");
  const rows = candidates.map((candidate, rank) => {
    const { span, text, probability, score } = candidate;
    const name = span ? el("button", { type: "button", class: "plain", dir: "auto" }, text) : noAnswer();
    const cells = [[String(rank + 1)], [name], [decimal(probability, 3), shareBar(probability)], [decimal(score, 2)]];
    const row = el("tr", {}, ...cells.map((content) => el("td", {}, ...content)));
    for (const event of ["pointerenter", "focusin"]) row.addEventListener(event, () => show(candidate));
    for (const event of ["pointerleave", "focusout"]) row.addEventListener(event, () => show());
    return row;
  });
  const heads = ["#", "Candidate", "Probability", "Score"].map((name) => el("th", { scope: "col" }, name));
  return el(
    "section",
    { class: "nbest" },
    el("h3", {}, `${candidates.length} best`),
    el("table", {}, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows)),
  );
}
