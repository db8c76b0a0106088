import { expect, test } from "vitest";
import { MAX_WEIGHT, quantizeRows } from "../src/onnx/quantize.ts";

test("a row of few weights has the scale of its largest; a row of zeros stays zero", () => {
  // Row 0: 2 / 63; 0.63 · 31.5 = 19.8 → 20. Row 1: 1.2 / 63; −0.3 · 52.5 = −15.75 → −16. Clipping 2 or 1.2 would cost most.
  const { data, scales } = quantizeRows(Float32Array.of(0.63, -2, 0, -0.3, 1.2, 0, 0, 0, 0), 3);
  expect([...data]).toEqual([20, -63, 0, -16, 63, 0, 0, 0, 0]);
  expect(scales[0]).toBeCloseTo(2 / 63, 8);
  expect(scales[1]).toBeCloseTo(1.2 / 63, 8);
});

test("a row with one larger weight among many clips it, for the least squared error of all", () => {
  // 1,000 weights evenly over ±0.5, and one of 0.6. Steps of 0.6 / 63 round by step² / 12 on the average: 1,000 · 7.6e-6.
  // Range 0.96 · 0.6 saves 1 − 0.96² of that, 5.9e-4, and clips 0.024² = 5.8e-4. The next, 0.92, clips 0.048² = 2.3e-3.
  const values = Float32Array.from({ length: 1001 }, (_, i) => (i === 1000 ? 0.6 : i / 999 - 0.5));
  const { data, scales } = quantizeRows(values, values.length);
  const errorOf = (scale: number) =>
    values.reduce((sum, v) => sum + (v - Math.max(-63, Math.min(63, Math.round(v / scale))) * scale) ** 2, 0);
  const tried = Array.from({ length: 11 }, (_, i) => Math.fround((Math.fround(0.6) * (1 - 0.04 * i)) / 63));
  const least = Math.min(...tried.map(errorOf));
  expect(errorOf(scales[0]!)).toBeCloseTo(least, 12);
  expect(errorOf(scales[0]!)).toBeLessThan(errorOf(tried[0]!));
  expect(data[1000]).toBe(63);
});

test("a product of two pairs stays within int16, which VPMADDUBSW saturates at", () => {
  expect(2 * 255 * MAX_WEIGHT).toBeLessThanOrEqual(32_767);
  expect(2 * 255 * (MAX_WEIGHT + 2)).toBeGreaterThan(32_767); // 65 × 510 = 33,150
});
