import { expect, test } from "vitest";
import type { Curves } from "@bertqa/squad";
import { officialImages } from "../../src/report/official-images.ts";
import { precisionRecallPlot, trainingPlot } from "../../src/report/plots.ts";
import { imageTheme, pageTheme } from "../../src/report/svg.ts";

const curve = { averagePrecision: 50, precisions: [1, 1, 0.5, 0.75], recalls: [0, 0.5, 0.5, 0.75] };
const curves: Curves = { exact: curve, f1: curve, oracle: curve };
const half = Array.from({ length: 20 }, (_, index) => (index === 19 ? 1 : 0));
const text = { name: "plot", title: "A < B", description: "A & B." };

test("the images have the official script's names, and are PNG files of the same size", () => {
  const images = officialImages(curves, { hasAns: half, noAns: half });
  expect([...images.keys()]).toEqual([
    "pr_exact.png",
    "pr_f1.png",
    "pr_oracle.png",
    "na_prob_hist_hasAns.png",
    "na_prob_hist_noAns.png",
  ]);
  for (const png of images.values()) {
    expect([...png.subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1280, 960]); // IHDR: width, height
  }
});

test("equal data gives equal image bytes", () => {
  const draw = () => officialImages(curves, { hasAns: half, noAns: half }).get("pr_f1.png")?.toString("base64");
  expect(draw()).toBe(draw());
});

test("a half without questions has no histogram, as in the script", () => {
  const names = [...officialImages(curves, { hasAns: half, noAns: null }).keys()];
  expect(names).not.toContain("na_prob_hist_noAns.png");
});

test("a curve is drawn in steps that hold to the next recall, points of equal recall apart", () => {
  // x: 62 at recall 0 to 624 at 1.05, 535.24 a unit; y: 434 at precision 0 to 44 at 1.05, 371.43 a unit.
  // Steps: across to 0.5 at precision 1, down to 0.5, across to 0.75, up to 0.75.
  const paths = precisionRecallPlot(text, [curve], imageTheme).markup.match(/ d="M[^"]*"/g) ?? [];
  const line = "M62,62.57L329.62,62.57L329.62,62.57L329.62,62.57L329.62,248.29L463.43,248.29L463.43,155.43";
  expect(paths.map((path) => path.slice(4, -1))).toContain(line);
});

test("a drawing for the page takes its colours from the page and escapes its words", () => {
  const { markup } = precisionRecallPlot(text, [curve, curve, curve], pageTheme);
  expect(markup).toContain('stroke="var(--series-3)"');
  expect(markup).toContain('<title id="plot-title">A &lt; B</title>');
  expect(markup).not.toContain("<style");
});

test("a long log is thinned to what can be seen", () => {
  const rates = { totalSteps: 1, learningRate: 0, windowsPerSecond: 1, tokensPerSecond: 1, paddedTokensPerSecond: 1 };
  const rows = Array.from({ length: 50_000 }, (_, step) => ({
    ...rates,
    step,
    loss: 5 / (1 + step / 1000),
    elapsedMs: 1,
  }));
  expect(trainingPlot(text, rows, "loss", pageTheme).markup.length).toBeLessThan(40_000);
});
