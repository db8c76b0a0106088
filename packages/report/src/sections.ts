import { counted, decimal, whole } from "@bertqa/ui/format";
import type { Breakdown, Estimate, Evaluation, IntervalScore, PlainScore, ThresholdScores } from "./evaluation.ts";
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
      Percent${intervalNote(evaluation.bootstrap)}.${evaluation.primary === "always" ? "" : " A question whose null odds exceed the threshold gets no answer."}
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

function intervalNote({ samples, articles, seed }: Evaluation["bootstrap"]): string {
  if (articles < 2) return "";
  const drawn = `${whole(samples)} samples of ${counted(articles, "article")}, seed ${seed}`;
  return `, with 95 % intervals beneath: bootstrap by article, ${drawn}`;
}

function headline(row: ThresholdScores): SafeHtml {
  const figure = (name: string, estimate: Estimate) =>
    html`<div>
      <dt>${name}</dt>
      <dd><strong>${decimal(estimate.value, 1)}</strong><span>${intervalText(estimate)}</span></dd>
    </div>`;
  return html`<dl class="headline">
    ${figure("Exact", row.all.exact)} ${figure("F1", row.all.f1)}
    <div>
      <dt>Threshold</dt>
      <dd><strong>${thresholdText(row)}</strong><span>${row.label}</span></dd>
    </div>
  </dl>`;
}

function thresholdText({ nullOddsThreshold }: ThresholdScores): string {
  return nullOddsThreshold === null ? "none" : decimal(nullOddsThreshold, 2);
}

function thresholdRow(row: ThresholdScores, isPrimary: boolean): SafeHtml {
  const name = row.kind === "zero" ? "fixed, nothing chosen" : row.label.replace(" (optimistic)", "");
  return html`<tr class="${isPrimary ? "primary" : ""}">
    <th scope="row">
      <span class="threshold">${thresholdText(row)}</span>
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
    html`<td>${decimal(estimate.value, 2)}<span class="interval">${intervalText(estimate)}</span></td>`;
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

function intervalText({ interval }: Estimate): string {
  return interval === null ? "no interval" : interval.map((bound) => decimal(bound, 1)).join(" – ");
}

/** Scores by kind of question, one table a kind; the page's script lets readers sort them. */
export function breakdownSection(breakdowns: readonly Breakdown[]): SafeHtml {
  if (breakdowns.length === 0) return html``;
  return html`<section aria-labelledby="section-breakdown">
    <h2 id="section-breakdown">Breakdown</h2>
    <div class="breakdowns">${breakdowns.map(breakdownTable)}</div>
  </section>`;
}

function breakdownTable(breakdown: Breakdown): SafeHtml {
  const title = breakdown.by.charAt(0).toUpperCase() + breakdown.by.slice(1);
  return html`<div class="scroller" role="region" aria-label="Scores by ${breakdown.by}" tabindex="0">
    <table class="breakdown" data-sortable>
      <thead>
        <tr>
          ${[title, "Questions", "Exact", "F1"].map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${breakdown.groups.map(
          (group) =>
            html`<tr>
              <th scope="row">${groupLabel(breakdown, group.label)}</th>
              <td data-value="${group.total}">${whole(group.total)}</td>
              ${[group.exact, group.f1].map((score) => scoreCell(score))}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function groupLabel(breakdown: Breakdown, label: string): SafeHtml {
  if (breakdown.by !== "article") return html`${label}`;
  return html`<a href="#questions" data-search="${label}">${label.replaceAll("_", " ")}</a>`;
}

export function scoreCell(score: number): SafeHtml {
  const width = decimal(Math.max(0, Math.min(100, score)), 1);
  return html`<td class="share" data-value="${score}" style="--share: ${width}%">${decimal(score, 1)}</td>`;
}

/** The empty error browser; the page's script fills it from the JSON in the page. */
export function questionsView(): SafeHtml {
  return html`<main id="questions-view" hidden>
    <h1 class="unseen">Questions</h1>
    <aside aria-label="Find questions">
      <div class="controls">
        <label class="unseen" for="search">Search questions, ids, articles and answers</label>
        <input
          id="search"
          type="search"
          placeholder="Search question, id, article, answer"
          autocomplete="off"
          spellcheck="false"
        />
        <label
          >Threshold
          <select id="threshold"></select
        ></label>
        <label
          >Order
          <select id="order"></select
        ></label>
        <div id="filters" class="pills" role="group" aria-label="Show"></div>
      </div>
      <div id="list" class="list" role="listbox" tabindex="0" aria-label="Questions"></div>
      <p class="keys"><kbd>j</kbd> next <kbd>k</kbd> previous <kbd>/</kbd> search <kbd>Esc</kbd> clear</p>
    </aside>
    <article id="detail" aria-label="Question"></article>
    <div class="pager">
      <button type="button" id="previous" aria-keyshortcuts="k">← Previous</button>
      <p id="position" role="status" aria-live="polite"></p>
      <button type="button" id="next" aria-keyshortcuts="j">Next →</button>
    </div>
  </main>`;
}
