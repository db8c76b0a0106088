import type { Estimate, Evaluation, IntervalScore, PlainScore, ThresholdScores } from "../results.ts";
import { decimal, whole } from "./format.ts";
import { html, type SafeHtml } from "./html.ts";

/** The headline numbers and the table of thresholds. */
export function scoresSection(evaluation: Evaluation): SafeHtml {
  const main = evaluation.scores.find((row) => row.kind === evaluation.primary);
  return html`<section aria-labelledby="section-scores">
    <h2 id="section-scores">Scores</h2>
    ${main ? headline(main) : null}
    <div class="scroller" role="region" aria-label="Scores by threshold" tabindex="0">
      <table class="scores">
        <thead>
          <tr>
            <th scope="col" rowspan="2">No-answer threshold</th>
            <th scope="colgroup" colspan="2">All questions</th>
            <th scope="colgroup" colspan="2">Has answer</th>
            <th scope="colgroup" colspan="2">No answer</th>
          </tr>
          <tr>
            ${[0, 1, 2].map(
              () =>
                html`<th scope="col">Exact</th>
                  <th scope="col">F1</th>`,
            )}
          </tr>
        </thead>
        <tbody>
          ${evaluation.scores.map((row) => thresholdRow(row, row.kind === evaluation.primary))}
          ${neverAnsweringRow(evaluation.neverAnswering)}
        </tbody>
      </table>
    </div>
    <p class="note">
      Percent, with 95 % intervals beneath: bootstrap by article, ${whole(evaluation.bootstrap.samples)} samples of
      ${counted(evaluation.bootstrap.articles, "article")}, seed ${evaluation.bootstrap.seed}. A question whose null
      odds exceed the threshold gets no answer.
    </p>
    ${
      evaluation.remarks.length === 0
        ? null
        : html`<ul class="remarks" aria-label="Remarks">
            ${evaluation.remarks.map((remark) => html`<li>${remark}</li>`)}
          </ul>`
    }
  </section>`;
}

/** `1 article`, `35 articles`. */
export function counted(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function headline(row: ThresholdScores): SafeHtml {
  const figure = (name: string, estimate: Estimate) =>
    html`<div class="figure">
      <dt>${name}</dt>
      <dd><strong>${decimal(estimate.value, 1)}</strong><span>${interval(estimate)}</span></dd>
    </div>`;
  return html`<dl class="headline">
    ${figure("Exact", row.all.exact)} ${figure("F1", row.all.f1)}
    <div class="figure wide">
      <dt>Threshold</dt>
      <dd><strong class="small">${decimal(row.nullOddsThreshold, 2)}</strong><span>${row.label}</span></dd>
    </div>
  </dl>`;
}

function thresholdRow(row: ThresholdScores, isPrimary: boolean): SafeHtml {
  const name = row.kind === "zero" ? "fixed, nothing chosen" : row.label.replace(" (optimistic)", "");
  return html`<tr class="${isPrimary ? "primary" : ""}">
    <th scope="row">
      <span class="threshold">${decimal(row.nullOddsThreshold, 2)}</span>
      <span class="chosen">${name}</span>
      ${row.chosenOn === "dev" ? html`<span class="tag warn">chosen on dev: optimistic</span>` : null}
      ${isPrimary ? html`<span class="tag">used below</span>` : null}
    </th>
    ${[row.all, row.hasAns, row.noAns].map(intervalCells)}
  </tr>`;
}

function intervalCells(score: IntervalScore | null): SafeHtml {
  if (!score)
    return html`<td>–</td>
      <td>–</td>`;
  const cell = (estimate: Estimate) =>
    html`<td>${decimal(estimate.value, 2)}<span class="interval">${interval(estimate)}</span></td>`;
  return html`${cell(score.exact)}${cell(score.f1)}`;
}

function neverAnsweringRow(scores: Evaluation["neverAnswering"]): SafeHtml {
  const cells = (score: PlainScore | null) =>
    score
      ? html`<td>${decimal(score.exact, 2)}</td>
          <td>${decimal(score.f1, 2)}</td>`
      : html`<td>–</td>
          <td>–</td>`;
  return html`<tr class="baseline">
    <th scope="row"><span class="threshold">−∞</span> <span class="chosen">never answering, the baseline</span></th>
    ${[scores.all, scores.hasAns, scores.noAns].map(cells)}
  </tr>`;
}

function interval(estimate: Estimate): string {
  return `${decimal(estimate.low, 1)} – ${decimal(estimate.high, 1)}`;
}
