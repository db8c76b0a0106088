import type { Curves, NoAnswerHistograms } from "@bertqa/squad";
import { highestShare, histogramPlot, precisionRecallPlot } from "./plots.ts";
import { renderPng } from "./png.ts";
import { imageTheme } from "./svg.ts";

/**
 * The images that the official evaluator leaves in its `--out-image-dir`, under its names; a histogram is left out where
 * its half has no questions, as there.
 *
 * @returns PNG bytes by file name
 */
export function officialImages(curves: Curves, histograms: NoAnswerHistograms): ReadonlyMap<string, Buffer> {
  const images = new Map<string, Buffer>();
  const curveTitles = {
    exact: "Precision-Recall curve for Exact Match score",
    f1: "Precision-Recall curve for F1 score",
    oracle: "Oracle Precision-Recall curve (binary task of HasAns vs. NoAns)",
  } as const;
  for (const key of ["exact", "f1", "oracle"] as const) {
    const curve = curves[key];
    const description = `Average precision ${curve.averagePrecision.toFixed(2)} %.`;
    const text = { name: `pr-${key}`, title: curveTitles[key], description };
    images.set(`pr_${key}.png`, renderPng(precisionRecallPlot(text, [curve], imageTheme)));
  }
  for (const [half, name] of [
    ["hasAns", "hasAns"],
    ["noAns", "noAns"],
  ] as const) {
    const shares = histograms[half];
    if (!shares) continue;
    const text = {
      name,
      title: `Histogram of no-answer probability: ${name}`,
      description: "20 equal bins from 0 to 1.",
    };
    images.set(
      `na_prob_hist_${name}.png`,
      renderPng(histogramPlot(text, shares, highestShare(histograms), imageTheme)),
    );
  }
  return images;
}
