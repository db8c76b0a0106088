import type { Curves, NoAnswerHistograms } from "@bertqa/squad";
import type { Evaluation, NoAnswerAnalysis } from "./evaluation.ts";
import { decimal, whole } from "@bertqa/ui/format";
import type { TrainingPoint } from "./build.ts";
import { html, type SafeHtml } from "./html.ts";
import * as plots from "./plots.ts";
import { seriesColours, seriesDashes, type PlotText } from "./svg.ts";

/** A drawing, what it says in a sentence, and its numbers as a table for those who cannot see it. */
interface Figure extends PlotText {
  readonly svg: SafeHtml;
  readonly legend?: readonly string[];
  readonly table: { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };
}

/** Sections with all drawings of the report, those left out whose data is absent. */
export function figureSections(evaluation: Evaluation, log: readonly TrainingPoint[]): SafeHtml {
  const { curves, noAnswer } = evaluation;
  return html`
    ${section("section-answerability", "Answering or not", [
      ...(curves ? [precisionRecallFigure(curves)] : []),
      ...(evaluation.thresholdSweep.length > 1 ? [sweepFigure(evaluation)] : []),
      ...(noAnswer.reliability.length > 0 ? [reliabilityFigure(noAnswer)] : []),
      ...(["hasAns", "noAns"] as const).flatMap((half) => histogramFigure(noAnswer.histograms, half)),
    ])}
    ${section("section-training", "Training", log.length > 1 ? [trainingFigure(log, "loss"), trainingFigure(log, "learningRate")] : [])}
  `;
}

function section(id: string, title: string, figures: readonly Figure[]): SafeHtml {
  if (figures.length === 0) return html``;
  return html`<section aria-labelledby="${id}">
    <h2 id="${id}">${title}</h2>
    <div class="figures">${figures.map(figureHtml)}</div>
  </section>`;
}

function figureHtml(figure: Figure): SafeHtml {
  return html`<figure>
    <figcaption>
      <h3>${figure.title}</h3>
      <p>${figure.description}</p>
    </figcaption>
    ${figure.legend ? legendHtml(figure.legend) : null} ${figure.svg}
    <details>
      <summary>Numbers<span class="unseen"> of ${figure.title}</span></summary>
      <div class="scroller" role="region" aria-label="Numbers of ${figure.title}" tabindex="0">
        <table>
          <thead>
            <tr>
              ${figure.table.head.map((name) => html`<th scope="col">${name}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${figure.table.rows.map(
              (row) =>
                html`<tr>
                  ${row.map((cell) => html`<td>${cell}</td>`)}
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>
  </figure>`;
}

function legendHtml(names: readonly string[]): SafeHtml {
  return html`<ul class="legend" aria-hidden="true">
    ${names.map(
      (name, index) =>
        html`<li>
          <svg width="26" height="8" stroke="${seriesColours[index] ?? ""}">
            <path d="M0 4H26" stroke-dasharray="${seriesDashes[index] ?? ""}" />
          </svg>
          ${name}
        </li>`,
    )}
  </ul>`;
}

function precisionRecallFigure(curves: Curves): Figure {
  const named = plots.curvesByName(curves);
  const precision = named.map(([name, curve]) => `${name} ${decimal(curve.averagePrecision, 1)}`).join(", ");
  const text = {
    name: "precision-recall",
    title: "Precision and recall",
    description: `Questions answered in the order of rising null odds. Average precision: ${precision}. Oracle: answerable or not, alone.`,
  };
  const at = Array.from({ length: 11 }, (_, index) => index / 10);
  return {
    ...text,
    svg: plots.precisionRecallPlot(
      text,
      named.map(([, curve]) => curve),
    ),
    legend: named.map(([name]) => name),
    table: {
      head: ["Recall", ...named.map(([name]) => `${name}: precision`)],
      rows: at.map((recall) => [decimal(recall, 1), ...named.map(([, curve]) => precisionAt(curve, recall))]),
    },
  };
}

/** Precision of the first point that reaches a recall; a dash where the curve ends before it. */
function precisionAt(curve: Curves["exact"], recall: number): string {
  const index = curve.recalls.findIndex((value) => value >= recall);
  return index === -1 ? "–" : decimal(curve.precisions[index] ?? 0, 3);
}

function sweepFigure(evaluation: Evaluation): Figure {
  const { thresholdSweep: sweep, scores } = evaluation;
  // The sweep is thinned out: the peak may lie between its points.
  const best = scores.find(({ kind }) => kind === "bestF1OnDev")!;
  const text = {
    name: "threshold-sweep",
    title: "Scores over the threshold",
    description: `F1 on dev peaks at ${decimal(best.all.f1.value, 1)} near ${decimal(best.nullOddsThreshold ?? 0, 2)}; upright lines mark the thresholds of the table above.`,
  };
  const every = Math.max(1, Math.floor(sweep.length / 12));
  return {
    ...text,
    svg: plots.sweepPlot(text, sweep, scores),
    legend: ["Exact", "F1"],
    table: {
      head: ["Threshold", "Exact", "F1"],
      rows: sweep
        .filter((_, index) => index % every === 0)
        .map((point) => [decimal(point.nullOddsThreshold, 2), decimal(point.exact, 2), decimal(point.f1, 2)]),
    },
  };
}

function reliabilityFigure(noAnswer: NoAnswerAnalysis): Figure {
  const { calibration, reliability } = noAnswer;
  const fit =
    calibration.fittedOn === "tune" ? `Calibrated on held-out questions (${calibration.method})` : "Not calibrated";
  const error = decimal(noAnswer.expectedCalibrationError * 100, 1);
  const text = {
    name: "reliability",
    title: "Reliability",
    description: `${fit}: expected calibration error ${error} %. On the diagonal, a probability says what it means.`,
  };
  return {
    ...text,
    svg: plots.reliabilityPlot(text, reliability),
    table: {
      head: ["Bin", "Questions", "Mean probability", "Share without an answer"],
      rows: reliability.map((bin) => [
        `${decimal(bin.low, 2)} – ${decimal(bin.high, 2)}`,
        whole(bin.count),
        decimal(bin.meanProbability, 3),
        decimal(bin.observedShare, 3),
      ]),
    },
  };
}

function histogramFigure(histograms: NoAnswerHistograms, half: "hasAns" | "noAns"): Figure[] {
  const shares = histograms[half];
  if (!shares) return [];
  const upper = shares.slice(shares.length / 2).reduce((sum, share) => sum + share, 0);
  const kind = half === "hasAns" ? "with an answer" : "without an answer";
  const text = {
    name: half === "hasAns" ? "histogram-has-answer" : "histogram-no-answer",
    title: `Questions ${kind}`,
    description: `${decimal(upper * 100, 1)} % of them have a no-answer probability of one half or more.`,
  };
  const rows = shares.map((share, index) => [
    `${decimal(index / shares.length, 2)} – ${decimal((index + 1) / shares.length, 2)}`,
    `${decimal(share * 100, 1)} %`,
  ]);
  const svg = plots.histogramPlot(text, shares, plots.highestShare(histograms));
  return [{ ...text, svg, table: { head: ["Probability of no answer", "Share"], rows } }];
}

function trainingFigure(log: readonly TrainingPoint[], field: "loss" | "learningRate"): Figure {
  const [first, last] = [log[0], log.at(-1)];
  const show = (value = 0) => (field === "loss" ? decimal(value, 3) : plots.shortNumber(Number(value.toPrecision(3))));
  const peak = log.reduce((highest, row) => Math.max(highest, row[field]), 0);
  const text = {
    name: field === "loss" ? "training-loss" : "learning-rate",
    title: field === "loss" ? "Training loss" : "Learning rate",
    description:
      field === "loss"
        ? `From ${show(first?.loss)} at step ${whole(first?.step ?? 0)} to ${show(last?.loss)} at step ${whole(last?.step ?? 0)}.`
        : `At most ${show(peak)}, at the end ${show(last?.learningRate)}.`,
  };
  const every = Math.max(1, Math.floor(log.length / 12));
  return {
    ...text,
    svg: plots.trainingPlot(text, log, field),
    table: {
      head: ["Step", text.title],
      rows: log.filter((_, index) => index % every === 0).map((row) => [whole(row.step), show(row[field])]),
    },
  };
}
