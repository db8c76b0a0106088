import { expect, test } from "vitest";
import { MAX_WEIGHT, quantizeRows } from "../src/onnx/quantize.ts";

test("each row has the scale of its largest weight; a row of zeros stays zero", () => {
  // Row 0: 2 / 63; 0.63 · 31.5 = 19.8 → 20. Row 1: 1.2 / 63; −0.3 · 52.5 = −15.75 → −16.
  const { data, scales } = quantizeRows(Float32Array.of(0.63, -2, 0, -0.3, 1.2, 0, 0, 0, 0), 3);
  expect([...data]).toEqual([20, -63, 0, -16, 63, 0, 0, 0, 0]);
  expect(scales[0]).toBeCloseTo(2 / 63, 8);
  expect(scales[1]).toBeCloseTo(1.2 / 63, 8);
});

test("a product of two pairs stays within int16, which VPMADDUBSW saturates at", () => {
  expect(2 * 255 * MAX_WEIGHT).toBeLessThanOrEqual(32_767);
  expect(2 * 255 * (MAX_WEIGHT + 2)).toBeGreaterThan(32_767); // 65 × 510 = 33,150
});
