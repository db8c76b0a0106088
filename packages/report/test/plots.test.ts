import { expect, test } from "vitest";
import { precisionRecallPlot, trainingPlot } from "../src/plots.ts";

const curve = { averagePrecision: 50, precisions: [1, 1, 0.5, 0.75], recalls: [0, 0.5, 0.5, 0.75] };
const text = { name: "plot", title: "A < B", description: "A & B." };

test("a curve is drawn in steps that hold to the next recall, points of equal recall apart", () => {
  // x: 46 at recall 0 to 364 at 1.05, 302.86 a unit; y: 212 at precision 0 to 26 at 1.05, 177.14 a unit.
  // Steps: across to 0.5 at precision 1, down to 0.5, across to 0.75, up to 0.75.
  const paths = precisionRecallPlot(text, [curve]).markup.match(/ d="M[^"]*"/g) ?? [];
  const line = "M46,34.86L197.43,34.86L197.43,34.86L197.43,34.86L197.43,123.43L273.14,123.43L273.14,79.14";
  expect(paths.map((path) => path.slice(4, -1))).toContain(line);
});

test("a drawing for the page takes its colours from the page and escapes its words", () => {
  const { markup } = precisionRecallPlot(text, [curve, curve, curve]);
  expect(markup).toContain('stroke="var(--series-3)"');
  expect(markup).toContain('<title id="plot-title">A &lt; B</title>');
  expect(markup).not.toContain("<style");
});

test("a long log is thinned to what can be seen", () => {
  const rows = Array.from({ length: 50_000 }, (_, step) => ({ step, loss: 5 / (1 + step / 1000), learningRate: 0 }));
  expect(trainingPlot(text, rows, "loss").markup.length).toBeLessThan(40_000);
});
