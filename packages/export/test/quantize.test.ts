import { expect, test } from "vitest";
import { MAX_WEIGHT, quantizeColumns, quantizeRows } from "../src/onnx/quantize.ts";

// Two rows, three columns: each column's largest magnitude becomes ±63, each row's likewise.
const weights = Float32Array.of(0.63, -2, 0, -0.3, 1.2, 0);

test("each column has the scale of its largest weight; a column of zeros stays zero", () => {
  // Column 0: 0.63 / 63 = 0.01 → 63, −30. Column 1: 2 / 63 → −63, 1.2 · 31.5 = 37.8 → 38.
  const { data, scales } = quantizeColumns(weights, 3);
  expect([...data]).toEqual([63, -63, 0, -30, 38, 0]);
  expect(scales[0]).toBeCloseTo(0.01, 8);
  expect(scales[1]).toBeCloseTo(2 / 63, 8);
});

test("each row has the scale of its largest weight", () => {
  // Row 0: 2 / 63; 0.63 · 63 / 2 = 19.8 → 20. Row 1: 1.2 / 63; −0.3 · 52.5 = −15.75 → −16.
  expect([...quantizeRows(weights, 3).data]).toEqual([20, -63, 0, -16, 63, 0]);
});

test("a product of two pairs stays within int16, which VPMADDUBSW saturates at", () => {
  expect(2 * 255 * MAX_WEIGHT).toBeLessThanOrEqual(32_767);
  expect(2 * 255 * (MAX_WEIGHT + 2)).toBeGreaterThan(32_767); // 65 × 510 = 33,150
});
