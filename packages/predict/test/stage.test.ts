import { openPredictions, questionsOf, type LogitColumns, type PredictionSplit, type SquadFile } from "@bertqa/core";
import { existsSync } from "node:fs";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { predictOptionsSchema, predictStage } from "../src/index.ts";
import { squadFile, temporaryFolders, windowsOf, writeDataset, writeModel, writeWindows } from "./fixture.ts";
import { writeTinyBert } from "./tiny-bert.ts";
import { runIn, type TestFolders } from "../../../test/support/run-stage.ts";

const partTokens = 8;
const train = squadFile([["one two three four", ["t2", "what one ?"], ["10", "why ?"]]]);
const dev = squadFile([
  ["𝄞 the clef 🎼 opens each staff of the long score that follows it here", ["q1", "what opens ?"], ["123", "why ?"]],
  ["", ["empty", "what is here ?"]],
  ["another short passage", ["7", "which ?"]],
]);
const options = predictOptionsSchema.parse({ precision: "float32", maxAnswerTokens: 5, batchTokens: 40 });

let folders: TestFolders & { remove(): Promise<void> };
beforeAll(async () => {
  folders = await temporaryFolders();
  const dataset = await writeDataset(folders, { train, dev });
  await writeWindows(folders, dataset, { dev, tune: train }, partTokens);
  await writeModel(folders, (modelFolder) => writeTinyBert(modelFolder));
  await runIn(predictStage, options, folders);
});
afterAll(() => folders.remove());

const predictFolder = () => join(folders.artifactsFolder, "predict");
const open = () => openPredictions("test", predictFolder());

async function logitsOf(split: PredictionSplit): Promise<LogitColumns[]> {
  const artifact = await open();
  const shards = Array.from({ length: artifact.logitShardCount(split) }, (_, i) => artifact.readLogitShard(split, i));
  return await Promise.all(shards);
}

test("answers are written for dev at the top and for tune in its folder, in the dataset's order", async () => {
  for (const [split, ids] of [
    ["", ["q1", "123", "empty", "7"]],
    ["tune", ["t2", "10"]],
  ] as const) {
    for (const name of ["predictions", "best_spans", "null_odds", "nbest_predictions"]) {
      const text = await readFile(join(predictFolder(), split, `${name}.json`), "utf8");
      expect([...text.matchAll(/^"(.*?)": /gm)].map((match) => match[1])).toEqual(ids);
    }
  }
});

test("each candidate is the slice of its context, by code points and by UTF-16 units", async () => {
  const nbest = await (await open()).nbest("dev");
  let spanCount = 0;
  for (const { id, context } of questionsOf(dev)) {
    for (const { text, code_points, utf16 } of nbest[id] ?? []) {
      if (!code_points || !utf16) continue;
      spanCount++;
      expect(text).not.toBe("");
      expect(text).toBe([...context].slice(...code_points).join(""));
      expect(text).toBe(context.slice(...utf16));
    }
  }
  // 20 of each question on the long passage; the three words of the short one make 6 spans.
  expect(spanCount).toBeGreaterThanOrEqual(19 + 19 + 6);
});

test.each(["dev", "tune"] as const)(
  "null odds and best spans of %s follow from the logits that are kept",
  async (split) => {
    const artifact = await open();
    const [nullOdds, bestSpans, predictions] = [
      await artifact.nullOdds(split),
      await artifact.bestSpans(split),
      await artifact.predictions(split),
    ];
    const shards = await logitsOf(split);
    for (const question of questionsOf(split === "dev" ? dev : train)) {
      const { nullScore, best, text } = bestByHand(question.id, split === "dev" ? dev : train, shards);
      expect(bestSpans[question.id]).toBe(text);
      expect(nullOdds[question.id]).toBe(best === -Infinity ? 1000 : nullScore - best);
      expect(predictions[question.id]).toBe(nullScore > best ? "" : text);
    }
  },
);

/** Every window's every span, scored from the logits in the artifact. */
function bestByHand(id: string, file: SquadFile, shards: readonly LogitColumns[]) {
  const question = questionsOf(file).filter((each) => each.id === id);
  const windows = windowsOf(question, partTokens);
  let [nullScore, best, text] = [Infinity, -Infinity, ""];
  for (let row = 0; row < windows.rowCount; row++) {
    const { startLogits, endLogits } = logitRow(shards, id, row);
    nullScore = Math.min(nullScore, (startLogits[0] as number) + (endLogits[0] as number));
    const first = windows.contextFirstToken[row] as number;
    const offset = windows.maxContext.offsets[row] as number;
    const count = windows.contextTokenCount[row] as number;
    for (let start = 0; start < count; start++) {
      for (let end = start; end < Math.min(count, start + 5); end++) {
        const score = (startLogits[first + start] as number) + (endLogits[first + end] as number);
        if (windows.maxContext.values[offset + start] !== 1 || score <= best) continue;
        best = score;
        const from = windows.contextStartCodePoints.values[offset + start] as number;
        const to = windows.contextEndCodePoints.values[offset + end] as number;
        text = [...(question[0]?.context as string)].slice(from, to).join("");
      }
    }
  }
  return { nullScore, best, text };
}

function logitRow(shards: readonly LogitColumns[], id: string, windowIndex: number) {
  for (const { questionId, windowIndex: indices, startLogits, endLogits } of shards) {
    const row = questionId.findIndex((each, i) => each === id && indices[i] === windowIndex);
    if (row < 0) continue;
    const [first, end] = [startLogits.offsets[row], startLogits.offsets[row + 1]];
    return { startLogits: startLogits.values.subarray(first, end), endLogits: endLogits.values.subarray(first, end) };
  }
  throw new Error(`no logits of ${id}, window ${windowIndex}`);
}

test("the manifest counts questions, answers, and those without a span", async () => {
  const { manifest } = (await open()).artifact;
  // 14 words in parts of 8, step 4 → 3 windows for each of 2 questions, 1 for the empty passage, 1 for the short one.
  expect(manifest.counts).toMatchObject({ "dev.questions": 4, "dev.windows": 8, "dev.withoutSpan": 1 });
  expect(manifest.counts).toMatchObject({ "tune.questions": 2, "tune.windows": 2, "tune.withoutSpan": 0 });
  expect((manifest.counts["dev.answered"] as number) + (manifest.counts["dev.noAnswer"] as number)).toBe(4);
  expect(manifest.options).toEqual(options);
  expect(Object.keys(manifest.inputs)).toEqual(["dataset", "windows", "model"]);
});

test("a sanity set is answered in a folder of its own, and changes no answer to dev and tune", async () => {
  const own = await temporaryFolders();
  try {
    const sanity = squadFile([["a last passage of few words", ["s1", "what is it ?"], ["s2", "why ?"]]]);
    const dataset = await writeDataset(own, { train, dev, sanity });
    await writeWindows(own, dataset, { dev, tune: train, sanity }, partTokens);
    await writeModel(own, (modelFolder) => writeTinyBert(modelFolder));
    const { manifest } = await runIn(predictStage, options, own);
    const others = manifest.files.filter(({ path }) => !path.startsWith("sanity/"));
    expect(others).toEqual((await open()).artifact.manifest.files);
    const artifact = await openPredictions("test", join(own.artifactsFolder, "predict"));
    expect(Object.keys(await artifact.bestSpans("sanity"))).toEqual(["s1", "s2"]);
    expect(manifest.counts).toMatchObject({ "sanity.questions": 2, "sanity.windows": 2 });
    expect((await open()).has("sanity")).toBe(false);
  } finally {
    await own.remove();
  }
});

test("the same inputs twice give the same bytes", async () => {
  const first = (await open()).artifact.manifest;
  const second = (await runIn(predictStage, options, folders)).manifest;
  expect(second).toEqual(first);
});

test("other batches give the same answers", async () => {
  const before = await (await open()).predictions("dev");
  await runIn(predictStage, { ...options, batchTokens: 1 }, folders);
  expect(await (await open()).predictions("dev")).toEqual(before);
  await runIn(predictStage, options, folders);
});

/** Runs the stage in folders of its own, after `spoil` has changed an input; returns the error. */
async function failureAfter(spoil: (folders: TestFolders) => Promise<unknown>): Promise<string> {
  const own = await temporaryFolders();
  try {
    const dataset = await writeDataset(own, { train, dev });
    await writeWindows(own, dataset, { dev }, partTokens);
    await writeModel(own, (modelFolder) => writeTinyBert(modelFolder));
    await spoil(own);
    const failure = await runIn(predictStage, options, own).catch((error: Error) => error.message);
    expect(existsSync(join(own.artifactsFolder, "predict"))).toBe(false);
    return failure as string;
  } finally {
    await own.remove();
  }
}

test("windows of another dataset are refused", async () => {
  const failure = await failureAfter((own) => writeDataset(own, { train: dev, dev: train }));
  expect(failure).toMatch(
    /^predict: the windows in .* were made from another dataset than the one in .* Run the tokenize stage again/,
  );
});

test("a shard that was changed is refused by its name", async () => {
  const failure = await failureAfter((own) => appendFile(join(own.artifactsFolder, "tokenize/dev-00001.arrow"), "x"));
  expect(failure).toMatch(
    /^predict: .*dev-00001\.arrow has \d+ bytes, its manifest says \d+\. Run the tokenize stage again\.$/,
  );
});

test("an artifact of another kind in the model's place is refused by its name", async () => {
  const failure = await failureAfter(async (own) => {
    const dataset = await readFile(join(own.artifactsFolder, "fetch/manifest.json"));
    await writeFile(join(own.artifactsFolder, "train/manifest.json"), dataset);
  });
  expect(failure).toMatch(
    /^predict: got an artifact of kind "dataset", expected "model"\. Run the train stage again\./,
  );
});

test("a model without a trained head is refused by the names of what it lacks", async () => {
  const failure = await failureAfter((own) =>
    writeModel(own, (modelFolder) => writeTinyBert(modelFolder, { withHead: false })),
  );
  expect(failure).toMatch(
    /^predict: the model lacks trained weights: qa_outputs\.weight, qa_outputs\.bias\. Run the train/,
  );
});

test("where each training question has an answer, every question with a span gets one", async () => {
  const own = await temporaryFolders();
  try {
    const answered = structuredClone(train);
    for (const question of answered.data.flatMap((article) => article.paragraphs.flatMap(({ qas }) => qas))) {
      Object.assign(question, { is_impossible: false, answers: [{ text: "one", answer_start: 0 }] });
    }
    await writeWindows(own, await writeDataset(own, { train: answered, dev }), { dev }, partTokens);
    await writeModel(own, (modelFolder) => writeTinyBert(modelFolder));
    // A threshold that no null odds are at or below: with no answer allowed, none would be given.
    await runIn(predictStage, { ...options, nullScoreDifferenceThreshold: -1000 }, own);
    const artifact = await openPredictions("test", join(own.artifactsFolder, "predict"));
    expect(artifact.artifact.manifest.counts).toMatchObject({
      "dev.answered": 3,
      "dev.noAnswer": 1,
      "dev.withoutSpan": 1,
    });
    await runIn(predictStage, { ...options, nullScoreDifferenceThreshold: -1000, noAnswer: "allowed" }, own);
    const none = await openPredictions("test", join(own.artifactsFolder, "predict"));
    expect(none.artifact.manifest.counts).toMatchObject({ "dev.answered": 0 });
    // Extra questions taught it that there may be none.
    await writeWindows(own, await writeDataset(own, { train: answered, dev, extra: train }), { dev }, partTokens);
    await writeModel(own, (modelFolder) => writeTinyBert(modelFolder));
    await runIn(predictStage, { ...options, nullScoreDifferenceThreshold: -1000 }, own);
    const taught = await openPredictions("test", join(own.artifactsFolder, "predict"));
    expect(taught.artifact.manifest.counts).toMatchObject({ "dev.answered": 0 });
    // So did questions that were made for training.
    const answeredData = await writeDataset(own, { train: answered, dev });
    await writeWindows(own, answeredData, { dev }, partTokens, { "train.unanswerable": 1 });
    await writeModel(own, (modelFolder) => writeTinyBert(modelFolder));
    await runIn(predictStage, { ...options, nullScoreDifferenceThreshold: -1000 }, own);
    const madeFor = await openPredictions("test", join(own.artifactsFolder, "predict"));
    expect(madeFor.artifact.manifest.counts).toMatchObject({ "dev.answered": 0 });
  } finally {
    await own.remove();
  }
});
