import { highestShare, histogramPlot, plotHeight, plotWidth, precisionRecallPlot } from "@bertqa/report";
import type { Curves, NoAnswerHistograms } from "@bertqa/squad";
import { Resvg } from "@resvg/resvg-js";
import { createRequire } from "node:module";

/** A font that comes with us, so that images have the same letters on a machine without fonts (it is matplotlib's too). */
const fontFamily = "DejaVu Sans";
const require = createRequire(import.meta.url);
const fontFiles = [
  require.resolve("dejavu-fonts-ttf/ttf/DejaVuSans.ttf"),
  require.resolve("dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf"),
];
const pixelsPerUnit = 3;
const titleHeight = 35;

const curveTitles = {
  exact: "Precision-Recall curve for Exact Match score",
  f1: "Precision-Recall curve for F1 score",
  oracle: "Oracle Precision-Recall curve (binary task of HasAns vs. NoAns)",
} as const;

/**
 * The images that the official evaluator leaves in its `--out-image-dir`, under its names; a histogram is left out where
 * its half has no questions, as there.
 *
 * @returns PNG bytes by file name
 */
export function officialImages(curves: Curves, histograms: NoAnswerHistograms): ReadonlyMap<string, Buffer> {
  const images = new Map<string, Buffer>();
  for (const key of ["exact", "f1", "oracle"] as const) {
    const curve = curves[key];
    const description = `Average precision ${curve.averagePrecision.toFixed(2)} %.`;
    const text = { name: `pr-${key}`, title: curveTitles[key], description };
    images.set(`pr_${key}.png`, pngOf(text.title, precisionRecallPlot(text, [curve]).markup));
  }
  for (const name of ["hasAns", "noAns"] as const) {
    const shares = histograms[name];
    if (!shares) continue;
    const title = `Histogram of no-answer probability: ${name}`;
    const text = { name, title, description: "20 equal bins from 0 to 1." };
    images.set(`na_prob_hist_${name}.png`, pngOf(title, histogramPlot(text, shares, highestShare(histograms)).markup));
  }
  return images;
}

/** Renders a drawing on white, under its title. */
function pngOf(title: string, drawing: string): Buffer {
  const heading = `<text x="50%" y="22" text-anchor="middle" font-size="11" font-weight="bold">${title}</text>`;
  const plot = drawing.replaceAll("var(--series-1)", "#2456c4").replace("<svg ", `<svg y="${titleHeight}" `);
  const size = `width="${plotWidth}" height="${plotHeight + titleHeight}"`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size} color="#1d1f23">${heading}${plot}</svg>`;
  const font = { loadSystemFonts: false, fontFiles, defaultFontFamily: fontFamily, sansSerifFamily: fontFamily };
  const renderer = new Resvg(svg, { font, background: "white", fitTo: { mode: "zoom", value: pixelsPerUnit } });
  return renderer.render().asPng();
}
