import type { Candidate, QuestionResult } from "@bertqa/core";
import { articleKey, type Question } from "@bertqa/squad";
import { counted, whole } from "@bertqa/ui/format";
import { segmentsOf, type Mark, type MarkKind } from "@bertqa/ui/segments";
import type { AnsweredQuestions } from "./build.ts";
import type { PlainScore, SanityScores } from "./evaluation.ts";
import { html, type SafeHtml } from "./html.ts";
import { outcomeSigns } from "./outcome-signs.ts";
import { bestSpan, goldAnswers } from "./pack.ts";
import type { SpanOrText } from "./page-data.ts";
import { scoreCell } from "./sections.ts";

/** Scores of the sanity set by kind of difficulty, and each question of it that was not answered right, to look at. */
export function sanitySection(scores: SanityScores, { questions, results, nbest }: AnsweredQuestions): SafeHtml {
  const { all, hasAns, noAns, kinds } = scores;
  const wrong = results.flatMap((result, i) => (result.outcome === "right" ? [] : [[result, questions[i]] as const]));
  return html`<section aria-labelledby="section-sanity">
    <h2 id="section-sanity">Sanity set</h2>
    <div class="scroller" role="region" aria-label="Scores of the sanity set" tabindex="0">
      <table class="breakdown">
        <thead>
          <tr>
            ${["Kind", "Questions", "Exact", "F1"].map((name) => html`<th scope="col">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${[scoreRow("all", all), scoreRow("with answer", hasAns), scoreRow("without answer", noAns)]}
          ${kinds.map((kind) => scoreRow(kind.label, kind))}
        </tbody>
      </table>
    </div>
    <p class="note">
      ${counted(all.total, "question")} that were picked to be hard, at the threshold used above, which was not chosen
      on them. They are few and no sample, so there are no intervals: look at the answers.
    </p>
    <h3>Not right: ${whole(wrong.length)} of ${whole(all.total)}</h3>
    ${wrong.map(([result, question]) => (question ? wrongAnswer(question, result, nbest[question.id] ?? []) : null))}
  </section>`;
}

function scoreRow(label: string, score: PlainScore | null): SafeHtml | null {
  if (!score) return null;
  return html`<tr>
    <th scope="row">${label}</th>
    <td>${whole(score.total)}</td>
    ${scoreCell(score.exact)} ${scoreCell(score.f1)}
  </tr>`;
}

function wrongAnswer(question: Question, result: QuestionResult, candidates: readonly Candidate[]): SafeHtml {
  const { context } = question;
  const { outcome, prediction } = result;
  const textOf = (answer: SpanOrText) => (typeof answer === "string" ? answer : context.slice(...answer));
  const gold = goldAnswers(question).map(([answer]) => answer);
  const predicted = prediction === "" ? [] : [bestSpan(question, prediction, candidates)];
  const shown = (kind: MarkKind, answers: readonly SpanOrText[]) =>
    answers.length > 0
      ? answers.map((answer) => html`<mark class="${kind}" dir="auto">${textOf(answer)}</mark> `)
      : html`<span class="no-answer">no answer</span>`;
  const marks = [...marksOf("gold", gold), ...marksOf("predicted", predicted)];
  return html`<details class="wrong">
    <summary>
      <span data-outcome="${outcome}" data-sign="${outcomeSigns[outcome]}">${outcome}</span> ${articleKey(question)} ·
      <bdi>${question.question}</bdi>
    </summary>
    <p>Gold ${shown("gold", gold)} · Predicted ${shown("predicted", predicted)}</p>
    <p class="passage" dir="auto">${segmentsOf(context, marks).map(({ text, kinds }) => markedHtml(text, kinds))}</p>
  </details>`;
}

/** Screen readers hear where a mark starts and ends, as in the error browser. */
function markedHtml(text: string, kinds: readonly MarkKind[]): SafeHtml {
  if (kinds.length === 0) return html`${text}`;
  const names = kinds.join(" and ");
  return html`<mark class="${kinds.join(" ")}"
    ><span class="unseen">[${names}: </span>${text}<span class="unseen">]</span></mark
  >`;
}

function marksOf(kind: MarkKind, answers: readonly SpanOrText[]): Mark[] {
  return answers.flatMap((answer) => (typeof answer === "string" ? [] : [{ kind, start: answer[0], end: answer[1] }]));
}
