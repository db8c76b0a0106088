import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadEngine } from "@bertqa/engine";
import { fetchOptionsSchema, fetchStage } from "@bertqa/fetch";
import { createPredictor, readCheckpoint } from "@bertqa/model";
import { tokenizeStage, tokenizeOptionsSchema } from "@bertqa/tokenize";
import { trainStage, trainOptionsSchema } from "@bertqa/train";
import { temporaryFolder } from "./support/temporary-folder.ts";
import { tinyOptions, writeTinyPipeline } from "./support/tiny-pipeline.ts";
import { runIn } from "./support/run-stage.ts";

/**
 * Trained models, read by Python. `BERTQA_PEER_PYTHON` names an interpreter with torch and transformers; the sample's model is
 * checked too where it has been trained.
 */
const python = process.env["BERTQA_PEER_PYTHON"];
const sampleModel = join(import.meta.dirname, "..", "artifacts", "pipeline", "train", "model");

/** Largest gap between transformers' logits and ours, over real tokens, on made-up windows with padding. */
async function largestGap(folder: string): Promise<number> {
  const checkpoint = await readCheckpoint(folder, { seed: 1, stage: "test" });
  const [B, L] = [3, 21];
  const lengths = [21, 17, 9];
  const cells = Array.from({ length: B * L }, (_, i) => ({ row: Math.floor(i / L), token: i % L }));
  const isReal = ({ row, token }: { row: number; token: number }) => token < (lengths[row] as number);
  const ids = cells.map((cell, i) => (isReal(cell) ? 5 + ((i * 31) % (checkpoint.config.vocabularySize - 5)) : 0));
  const types = cells.map((cell) => Number(isReal(cell) && cell.token > 4));
  const mask = cells.map((cell) => Number(isReal(cell)));
  const rows = (values: number[]) => Array.from({ length: B }, (_, row) => values.slice(row * L, (row + 1) * L));
  const input = JSON.stringify({ input_ids: rows(ids), token_type_ids: rows(types), attention_mask: rows(mask) });
  const script = join(import.meta.dirname, "support", "hf_logits.py");
  const output = execFileSync(python as string, [script, folder], { input, encoding: "utf8" });
  const expected = JSON.parse(output) as { start: number[][]; end: number[][] };

  const predictor = createPredictor(await loadEngine(), checkpoint, { precision: "float32" });
  const { startLogits, endLogits } = predictor.predict({
    windowCount: B,
    tokenCount: L,
    inputIds: Int32Array.from(ids),
    tokenTypeIds: Int32Array.from(types),
    attentionMask: Int32Array.from(mask),
  });
  predictor.dispose();
  const gapsOf = (ours: Float32Array, theirs: number[][]) =>
    theirs.flat().map((value, i) => (mask[i] ? Math.abs(value - (ours[i] as number)) : 0));
  return Math.max(...gapsOf(startLogits, expected.start), ...gapsOf(endLogits, expected.end));
}

test.skipIf(!python)(
  "a trained model loads with AutoModelForQuestionAnswering, and its logits are ours within 1e-4",
  { timeout: 180_000 },
  async () => {
    const folder = await temporaryFolder();
    const folders = { pipelineFolder: folder, artifactsFolder: join(folder, "artifacts") };
    await writeTinyPipeline(folder);
    await runIn(fetchStage, fetchOptionsSchema.parse(tinyOptions.fetch), folders);
    await runIn(tokenizeStage, tokenizeOptionsSchema.parse(tinyOptions.tokenize), folders);
    const artifact = await runIn(trainStage, trainOptionsSchema.parse(tinyOptions.train), folders);
    expect(await largestGap(join(artifact.folder, "model"))).toBeLessThan(1e-4);
  },
);

test.skipIf(!python || !existsSync(sampleModel))(
  "so does the sample pipeline's model",
  { timeout: 180_000 },
  async () => {
    expect(await largestGap(sampleModel)).toBeLessThan(1e-4);
  },
);
