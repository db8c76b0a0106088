import type { Curves } from "@bertqa/squad";
import { expect, test } from "vitest";
import { officialImages } from "../src/official/images.ts";

const curve = { averagePrecision: 50, precisions: [1, 1, 0.5, 0.75], recalls: [0, 0.5, 0.5, 0.75] };
const curves: Curves = { exact: curve, f1: curve, oracle: curve };
const half = Array.from({ length: 20 }, (_, index) => (index === 19 ? 1 : 0));

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
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1140, 855]); // IHDR: width, height
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
