import { decimal } from "../format.ts";
import type { SpanOrText } from "../page-data.ts";
import { el } from "./dom.ts";
import { passageElement, passageLegend } from "./passage.ts";
import type { Candidate, Questions } from "./questions.ts";
import type { Mark, MarkKind } from "./segments.ts";

/** Everything about one question, as elements for the right-hand pane. */
export function detailOf(questions: Questions, index: number, threshold: number): HTMLElement[] {
  const { id, question } = questions.data.questions;
  const outcome = questions.outcome(index, threshold);
  const passage = el("div", { class: "passage-box" });
  const showPassage = (candidate?: Candidate) => drawPassage(passage, questions, index, threshold, candidate);
  showPassage();
  return [
    el(
      "header",
      {},
      el("span", { class: "badge", "data-outcome": outcome }, outcome),
      el("span", { class: "article-name" }, questions.article(index).replaceAll("_", " ")),
      el(
        "a",
        { class: "question-id", href: `#${encodeURIComponent(id[index] ?? "")}`, title: "Link to this question" },
        id[index] ?? "",
      ),
    ),
    el("h2", { dir: "auto" }, question[index] ?? ""),
    answersOf(questions, index, threshold),
    passage,
    factsOf(questions, index, threshold),
    nbestOf(questions.candidates(index), showPassage),
  ];
}

function answersOf(questions: Questions, index: number, threshold: number): HTMLElement {
  const gold = questions.gold(index).map(({ text, count }) => {
    const times = count > 1 ? el("span", { class: "times" }, ` × ${count}`) : null;
    return el("li", {}, el("mark", { class: "gold", dir: "auto" }, text), times);
  });
  const best = questions.textOf(index, questions.data.questions.best[index] ?? "");
  const predicted = questions.scores(index, threshold).isAnswered
    ? el("mark", { class: "predicted", dir: "auto" }, best)
    : el("span", { class: "no-answer" }, "no answer");
  const rejected =
    !questions.scores(index, threshold).isAnswered && best !== ""
      ? el("p", { class: "rejected" }, "best span, rejected: ", el("q", { dir: "auto" }, best))
      : null;
  return el(
    "div",
    { class: "answers" },
    el(
      "div",
      {},
      el("h3", {}, "Gold"),
      gold.length > 0 ? el("ul", {}, ...gold) : el("span", { class: "no-answer" }, "no answer"),
    ),
    el("div", {}, el("h3", {}, "Predicted"), predicted, rejected),
  );
}

function drawPassage(
  box: HTMLElement,
  questions: Questions,
  index: number,
  threshold: number,
  candidate?: Candidate,
): void {
  const gold = questions.gold(index).flatMap(({ answer }) => marksOf("gold", answer));
  const best = questions.data.questions.best[index] ?? "";
  const predicted = questions.scores(index, threshold).isAnswered ? marksOf("predicted", best) : [];
  const chosen = candidate?.span ? marksOf("candidate", candidate.span) : [];
  const marks = [...gold, ...predicted, ...chosen];
  const kinds = [...new Set(marks.map((mark) => mark.kind))];
  box.replaceChildren(
    ...(kinds.length > 0 ? [passageLegend(kinds)] : []),
    passageElement(questions.context(index), marks),
  );
}

function marksOf(kind: MarkKind, answer: SpanOrText): Mark[] {
  return typeof answer === "string" ? [] : [{ kind, start: answer[0], end: answer[1] }];
}

function factsOf(questions: Questions, index: number, threshold: number): HTMLElement {
  const { nullOdds, noAnswerProbability } = questions.data.questions;
  const odds = nullOdds[index] ?? 0;
  const { exact, f1 } = questions.scores(index, threshold);
  const relation =
    odds > threshold ? `above the threshold ${decimal(threshold, 2)}` : `within the threshold ${decimal(threshold, 2)}`;
  const probability = noAnswerProbability[index] ?? 0;
  const facts: (readonly [string, string, string, number?])[] = [
    ["Exact", decimal(exact * 100, 0), ""],
    ["F1", decimal(f1 * 100, 1), ""],
    ["Null odds", decimal(odds, 2), relation],
    ["No-answer probability", decimal(probability, 2), "", probability],
  ];
  return el(
    "dl",
    { class: "question-facts" },
    ...facts.map(([name, value, note, share]) =>
      el(
        "div",
        {},
        el("dt", {}, name),
        el("dd", {}, value, note ? el("span", {}, note) : null, share === undefined ? null : shareBar(share)),
      ),
    ),
  );
}

function shareBar(share: number): HTMLElement {
  const bar = el("span", { class: "share-bar", "aria-hidden": "true" });
  bar.style.setProperty("--share", `${share * 100}%`);
  return bar;
}

/** The candidates; pointing at one, or moving to it by key, shows it in the passage. */
function nbestOf(candidates: readonly Candidate[], show: (candidate?: Candidate) => void): HTMLElement {
  if (candidates.length === 0) return el("p", { class: "note" }, "These predictions came without an n-best list.");
  const rows = candidates.map((candidate, rank) => {
    const name = candidate.span
      ? el("button", { type: "button", dir: "auto" }, candidate.text)
      : el("span", { class: "no-answer" }, "no answer");
    const row = el(
      "tr",
      {},
      el("td", {}, String(rank + 1)),
      el("td", { class: "candidate-text" }, name),
      el("td", {}, decimal(candidate.probability, 3), shareBar(candidate.probability)),
      el("td", {}, decimal(candidate.score, 2)),
    );
    for (const event of ["pointerenter", "focusin"]) row.addEventListener(event, () => show(candidate));
    for (const event of ["pointerleave", "focusout"]) row.addEventListener(event, () => show());
    return row;
  });
  const head = el(
    "tr",
    {},
    ...["#", "Candidate", "Probability", "Score"].map((name) => el("th", { scope: "col" }, name)),
  );
  return el(
    "section",
    { class: "nbest" },
    el("h3", {}, `${candidates.length} best`),
    el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows)),
  );
}
