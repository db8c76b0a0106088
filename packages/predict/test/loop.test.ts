import { SpanSearch } from "@bertqa/answers";
import { questionsOf, type LogitColumns, type WindowShard } from "@bertqa/core";
import type { WindowBatch } from "@bertqa/model";
import { expect, test } from "vitest";
import { predictShards, rowOf, type Tally } from "../src/loop.ts";
import { squadFile, windowsOf } from "./fixture.ts";

const questions = questionsOf(
  squadFile([
    ["the long passage has eleven words and so gives two windows", ["q1", "how many words ?"], ["q2", "why ?"]],
    ["a short one", ["q3", "what ?"]],
  ]),
);
const shards = [windowsOf(questions.slice(0, 2), 8), windowsOf(questions.slice(2), 8)];

/** Logits that depend on a token and the two before it, whatever the padding; padding itself gets NaN. */
function predict({ windowCount, tokenCount, inputIds, attentionMask }: WindowBatch) {
  const startLogits = new Float32Array(windowCount * tokenCount);
  startLogits.forEach((_, i) => {
    const before = i % tokenCount < 2 ? 0 : (inputIds[i - 1] as number) * (inputIds[i - 2] as number);
    startLogits[i] = attentionMask[i] === 1 ? Math.sin((inputIds[i] as number) + before) : NaN;
  });
  return { startLogits, endLogits: startLogits.map((logit) => -logit) };
}

const rulesOf = (batchTokens: number) => ({ batchTokens, shapeCostTokens: 0, maxTokenCount: 48, compilesShapes: true });

async function run(batchTokens: number, logitShardWindows = 100) {
  const searches = new Map(questions.map(({ id }) => [id, new SpanSearch({ nBest: 5, maxAnswerTokens: 4 })]));
  const tallies: Tally[] = [];
  const onBatch = (tally: Tally) => tallies.push({ ...tally });
  const context = {
    stage: "predict",
    predictor: { predict },
    searches,
    batchRules: rulesOf(batchTokens),
    logitShardWindows,
    onBatch,
  };
  const logits: LogitColumns[] = [];
  for await (const shard of predictShards(context, asAsync(shards))) logits.push(shard);
  return { logits, tallies, searches };
}

async function* asAsync(items: readonly WindowShard[]) {
  yield* items;
}

test("within a shard the longest windows go first, and padding is left out of the logits", async () => {
  // q1: [CLS] 4 words [SEP] 8 words [SEP] = 15, then 14 with 7 words; q2: 2 + 3 + 8 = 13, then 12; q3: 2 + 3 + 3 = 8.
  const { logits } = await run(32);
  expect(logits.map((shard) => [shard.questionId, [...shard.windowIndex]])).toEqual([
    [
      ["q1", "q1", "q2", "q2", "q3"],
      [0, 1, 0, 1, 0],
    ],
  ]);
  const [{ startLogits, endLogits }] = logits as [LogitColumns];
  expect([...startLogits.offsets]).toEqual([0, 15, 29, 42, 54, 62]);
  expect(endLogits.values).toEqual(startLogits.values.map((logit) => -logit));
});

test("batches of any size give the same spans, and the same logits in shards of the size asked for", async () => {
  const whole = await run(1_000_000);
  const single = await run(1, 2);
  expect(single.tallies).toHaveLength(5);
  expect(single.logits.map((shard) => shard.questionId.length)).toEqual([2, 2, 1]);
  expect(single.logits.flatMap((shard) => [...shard.endLogits.values])).toEqual([
    ...(whole.logits[0] as LogitColumns).endLogits.values,
  ]);
  for (const { id } of questions) {
    expect(single.searches.get(id)?.spans.length, id).toBeGreaterThan(0);
    expect(single.searches.get(id)?.spans, id).toEqual(whole.searches.get(id)?.spans);
    expect(single.searches.get(id)?.nullScore, id).toEqual(whole.searches.get(id)?.nullScore);
  }
});

test("the tally counts real tokens and those with padding", async () => {
  // Batches of 2 × 16: [15, 14] and [13, 12] and of the second shard [8], as one window of 16: 2 × 32 + 16 = 80.
  const { tallies } = await run(32);
  expect(tallies.at(-1)).toEqual({ windows: 5, tokens: 62, paddedTokens: 80 });
  expect(rowOf("dev", tallies.at(-1) as Tally, 500)).toMatchObject({
    windowsPerSecond: 10,
    tokensPerSecond: 124,
    paddingShare: 1 - 62 / 80,
  });
});

test("logits that are not finite numbers stop the run and name the question", async () => {
  const searches = new Map<string, SpanSearch>();
  const broken = {
    predict: (batch: WindowBatch) => ({ ...predict(batch), endLogits: new Float32Array(100).fill(NaN) }),
  };
  const context = {
    stage: "predict",
    predictor: broken,
    searches,
    batchRules: rulesOf(32),
    logitShardWindows: 9,
    onBatch: () => undefined,
  };
  await expect(predictShards(context, asAsync(shards)).next()).rejects.toThrow(
    /^predict: the model's logits for question "q1" are not finite numbers\. Training has diverged/,
  );
});
