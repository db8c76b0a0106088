import * as Plot from "@observablehq/plot";
import type { Curve, Curves, NoAnswerHistograms, ReliabilityBin, SweepPoint } from "@bertqa/squad";
import type { ThresholdScores } from "./evaluation.ts";
import type { TrainingPoint } from "./build.ts";
import type { SafeHtml } from "./html.ts";
import { drawSvg, plotWidth, seriesColours, seriesDashes, type PlotText } from "./svg.ts";

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Precision over recall, one line a curve, in steps that hold to the next recall ("post", as the official script draws). */
export function precisionRecallPlot(text: PlotText, curves: readonly Curve[]): SafeHtml {
  const lines = curves.map((curve) =>
    thinned(curve.recalls.map((recall, index) => ({ x: recall, y: curve.precisions[index] ?? 0 }))),
  );
  return drawSvg(text, {
    x: { domain: [0, 1.05], ticks: 5, label: "Recall" },
    y: { domain: [0, 1.05], ticks: 5, label: "Precision", grid: true },
    marks: [
      Plot.ruleY([0]),
      ...(lines.length === 1 ? [stepArea(lines[0] ?? [])] : []),
      ...lines.map((line, index) => stepLine(line, index)),
    ],
  });
}

function stepArea(points: readonly Point[]): Plot.Markish {
  const style = { fill: seriesColours[0], fillOpacity: 0.12, curve: "step-after" } as const;
  // With `y` alone, Plot would stack points of equal recall.
  return Plot.areaY(points, { x: "x", y1: 0, y2: "y", ...style });
}

function stepLine(points: readonly Point[], index: number): Plot.Markish {
  return Plot.lineY(points, { x: "x", y: "y", ...seriesStyle(index), curve: "step-after" });
}

function seriesStyle(index: number): { stroke: string; strokeWidth: number; strokeDasharray: string } {
  const strokeDasharray = seriesDashes[index] || "none";
  return { stroke: seriesColours[index] ?? "currentColor", strokeWidth: 1.75, strokeDasharray };
}

/** Shares of questions in equal bins of the no-answer probability. */
export function histogramPlot(text: PlotText, shares: readonly number[], highest: number): SafeHtml {
  const bins = shares.map((share, index) => ({ low: index / shares.length, high: (index + 1) / shares.length, share }));
  return drawSvg(text, {
    x: { domain: [0, 1], ticks: 5, label: "Probability of no answer" },
    y: { domain: [0, highest], ticks: 5, label: "Share of questions", grid: true, tickFormat: percentTick },
    marks: [
      Plot.rectY(bins, { x1: "low", x2: "high", y1: 0, y2: "share", fill: seriesColours[0], inset: 0.75 }),
      Plot.ruleY([0]),
    ],
  });
}

/** Observed share of unanswerable questions over the mean predicted probability, one dot a bin, its area by count. */
export function reliabilityPlot(text: PlotText, bins: readonly ReliabilityBin[]): SafeHtml {
  const position = { x: "meanProbability", y: "observedShare" } as const;
  const diagonal = [
    { x: 0, y: 0 },
    { x: 1, y: 1 },
  ];
  return drawSvg(text, {
    x: { domain: [0, 1], ticks: 5, label: "Predicted probability of no answer" },
    y: { domain: [0, 1], ticks: 5, label: "Share without an answer", grid: true },
    r: { range: [2, 9] },
    marks: [
      Plot.ruleY([0]),
      Plot.lineY(diagonal, { x: "x", y: "y", stroke: "currentColor", strokeOpacity: 0.45, strokeDasharray: "4 4" }),
      Plot.lineY(bins, { ...position, stroke: seriesColours[0], strokeWidth: 1.5 }),
      Plot.dot(bins, { ...position, r: "count", fill: seriesColours[0], fillOpacity: 0.55, stroke: seriesColours[0] }),
    ],
  });
}

/** Exact and F1 over the threshold on null odds, the thresholds of the scores table marked. */
export function sweepPlot(
  text: PlotText,
  sweep: readonly SweepPoint[],
  thresholds: readonly ThresholdScores[],
): SafeHtml {
  const low = Math.min(...sweep.map((point) => point.exact));
  return drawSvg(text, {
    x: { ticks: 5, label: "Threshold on null odds" },
    y: { domain: [Math.floor(low / 10) * 10, 100], ticks: 5, label: "Score (%)", grid: true },
    marks: [
      Plot.ruleX(thresholds, {
        x: "nullOddsThreshold",
        stroke: "currentColor",
        strokeOpacity: 0.35,
        strokeDasharray: "2 2",
      }),
      ...(["exact", "f1"] as const).map((score, index) =>
        Plot.lineY(sweep, { x: "nullOddsThreshold", y: score, ...seriesStyle(index) }),
      ),
    ],
  });
}

/** Loss, or the learning rate, over optimiser steps. */
export function trainingPlot(text: PlotText, rows: readonly TrainingPoint[], field: "loss" | "learningRate"): SafeHtml {
  const points = thinned(rows.map((row) => ({ x: row.step, y: row[field] })));
  return drawSvg(text, {
    ...(field === "learningRate" ? { marginLeft: 56 } : {}),
    x: { ticks: 5, label: "Step", tickFormat: (step: number) => step.toLocaleString("en-US") },
    y: {
      zero: true,
      ticks: 5,
      label: field === "loss" ? "Loss" : "Learning rate",
      grid: true,
      tickFormat: shortNumber,
    },
    marks: [Plot.ruleY([0]), Plot.lineY(points, { x: "x", y: "y", stroke: seriesColours[0], strokeWidth: 1.5 })],
  });
}

/** The bars of both halves share one scale, so that they can be compared. */
export function highestShare(histograms: NoAnswerHistograms): number {
  return Math.max(0.05, ...(histograms.hasAns ?? []), ...(histograms.noAns ?? [])) * 1.05;
}

/** The official script's curves, by its names. */
export function curvesByName(curves: Curves): readonly (readonly [name: string, Curve])[] {
  return [
    ["Exact", curves.exact],
    ["F1", curves.f1],
    ["Oracle", curves.oracle],
  ];
}

/** Drops points that would move the line by less than half a pixel; first and last stay. */
function thinned(points: readonly Point[]): Point[] {
  const spanOf = (values: readonly number[]) =>
    values.reduce((a, b) => Math.max(a, b), -Infinity) - values.reduce((a, b) => Math.min(a, b), Infinity) || 1;
  const stepX = spanOf(points.map((point) => point.x)) / (2 * plotWidth);
  const stepY = spanOf(points.map((point) => point.y)) / (2 * plotWidth);
  const kept: Point[] = [];
  points.forEach((point, index) => {
    const last = kept.at(-1);
    const moved = !last || Math.abs(point.x - last.x) >= stepX || Math.abs(point.y - last.y) >= stepY;
    if (moved || index === points.length - 1) kept.push(point);
  });
  return kept;
}

function percentTick(share: number): string {
  return `${Number((share * 100).toFixed(1))}%`;
}

/** `0.25`, `5e−5`. */
export function shortNumber(value: number): string {
  return value !== 0 && Math.abs(value) < 0.01
    ? value.toExponential().replace("e-", "e−")
    : String(Number(value.toPrecision(6)));
}
