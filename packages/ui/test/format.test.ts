import { expect, test } from "vitest";
import { percent } from "../src/format.ts";

test.each([
  [0, "0 %"],
  [0.0049, "under 1 %"],
  [0.005, "1 %"],
  [0.824, "82 %"],
  [0.9949, "99 %"],
  [0.995, "over 99 %"],
  [1, "100 %"],
])("a share of %d is %s", (share, text) => {
  expect(percent(share)).toBe(text);
});
