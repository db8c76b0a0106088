import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runOfficial, withFolder } from "./support/official-command.ts";

const shared = process.env["BERTQA_SHARED"] ?? fileURLToPath(new URL("../../../../shared", import.meta.url));
const golden = join(shared, "golden/official-eval.json");

test.skipIf(!existsSync(golden))("BERT-large's published predictions score as in the script, in all modes", () => {
  const expected = JSON.parse(readFileSync(golden, "utf8")) as Record<string, Record<string, number>>;
  const data = join(shared, "squad2/dev.json");
  const predictions = join(shared, "squad2/golden/bert-large-dev-predictions.json");
  const naProbs = ["-n", join(shared, "golden/official-eval.na-prob.json")];
  const scores = (...args: string[]) =>
    Object.entries(JSON.parse(runOfficial(data, predictions, ...args).stdout) as object);
  const { threshold, ...thresholded } = expected["withNaProbAndThreshold"] as Record<string, number>;
  expect(scores()).toEqual(Object.entries(expected["plain"] as object));
  expect(scores(...naProbs)).toEqual(Object.entries(expected["withNaProb"] as object));
  expect(scores(...naProbs, "-t", String(threshold))).toEqual(Object.entries(thresholded));
  withFolder((folder) => {
    expect(scores(...naProbs, "-p", folder)).toEqual(Object.entries(expected["withCurves"] as object));
  });
});
