import { SpanSearch, type Decision } from "@bertqa/answers";
import { openPredictions, openWindows } from "@bertqa/core";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { ModelInputs } from "../src/batches.ts";
import { openSession, type Logits, type OnnxRuntime } from "../src/session.ts";
import { chromiumPath, openPage, skipReason } from "./browser-page.ts";

/**
 * Four engines on one trained model: the workspace's own (its logits are kept by predict), onnxruntime-node, onnxruntime-web in
 * Node and in a real browser, and transformers where `BERTQA_PEER_PYTHON` names a Python. `BERTQA_PARITY` names a pipeline's
 * artifacts; by default those of the sample, where it has been exported.
 */
const artifacts = process.env["BERTQA_PARITY"] ?? join(import.meta.dirname, "../../../artifacts/pipeline");
const model = join(artifacts, "export");
const python = process.env["BERTQA_PEER_PYTHON"];
const windowCount = 200;
const batchWindows = 8;
const slow = { timeout: 300_000 };

type Shard = Awaited<ReturnType<Awaited<ReturnType<typeof openWindows>>["readShard"]>>;

/** A window with our engine's logits of its L tokens. */
interface Row {
  readonly shard: Shard;
  readonly row: number;
  readonly ids: Int32Array;
  readonly contextFirstToken: number;
  readonly ours: Logits;
}

/** Dev windows, evenly spread, each with what predict kept of it. */
async function readRows(): Promise<Row[]> {
  const windows = await openWindows("test", join(artifacts, "tokenize"));
  const predictions = await openPredictions("test", join(artifacts, "predict"));
  const precision = predictions.artifact.manifest.resolved["precision"];
  if (precision !== "float32") throw new Error(`predict ran in ${String(precision)}: predict again with float32`);
  const kept = new Map<string, Logits>();
  for (let i = 0; i < predictions.logitShardCount("dev"); i += 1) {
    const logits = await predictions.readLogitShard("dev", i);
    logits.questionId.forEach((id, row) => {
      const of = ({ offsets, values }: { offsets: Int32Array; values: Float32Array }) =>
        values.subarray(offsets[row], offsets[row + 1]);
      const key = `${id} ${logits.windowIndex[row]}`;
      kept.set(key, { startLogits: of(logits.startLogits), endLogits: of(logits.endLogits) });
    });
  }
  const shard = await windows.readShard("dev", 0);
  const count = Math.min(windowCount, shard.rowCount);
  return Array.from({ length: count }, (_, i) => {
    const row = Math.floor((i * shard.rowCount) / count);
    return {
      shard,
      row,
      ids: shard.inputIds.values.subarray(shard.inputIds.offsets[row], shard.inputIds.offsets[row + 1]),
      contextFirstToken: shard.contextFirstToken[row]!,
      ours: kept.get(`${shard.questionId[row]} ${shard.windowIndex[row]}`)!,
    };
  });
}

function collate(rows: readonly Row[]): ModelInputs {
  const tokenCount = Math.max(...rows.map(({ ids }) => ids.length));
  const cell = (valueOf: (row: Row, token: number) => number) =>
    BigInt64Array.from(
      rows.flatMap((row) => Array.from({ length: tokenCount }, (_, token) => valueOf(row, token))),
      BigInt,
    );
  return {
    windowCount: rows.length,
    tokenCount,
    inputIds: cell(({ ids }, token) => ids[token] ?? 0),
    attentionMask: cell(({ ids }, token) => Number(token < ids.length)),
    tokenTypeIds: cell(({ ids, contextFirstToken }, token) => Number(token >= contextFirstToken && token < ids.length)),
  };
}

/** Best spans and null score of one window by one engine's logits. */
function searchOf({ shard, row, contextFirstToken }: Row, logits: Logits, decision: Decision): SpanSearch {
  const list = <T extends Int32Array | Uint8Array>({ offsets, values }: { offsets: Int32Array; values: T }) =>
    values.subarray(offsets[row], offsets[row + 1]) as T;
  const search = new SpanSearch(decision);
  search.add({
    ...logits,
    contextFirstToken,
    contextTokenCount: shard.contextTokenCount[row]!,
    contextStartCodePoints: list(shard.contextStartCodePoints),
    contextEndCodePoints: list(shard.contextEndCodePoints),
    maxContext: list(shard.maxContext),
  });
  return search;
}

describe.skipIf(!existsSync(join(model, "decision.json")))("on the windows of a trained model", () => {
  let rows: Row[];
  let batches: { readonly rows: readonly Row[]; readonly inputs: ModelInputs }[];
  let decision: Decision;
  beforeAll(async () => {
    decision = JSON.parse(await readFile(join(model, "decision.json"), "utf8")) as Decision;
    rows = await readRows();
    batches = Array.from({ length: Math.ceil(rows.length / batchWindows) }, (_, i) => {
      const ofBatch = rows.slice(i * batchWindows, (i + 1) * batchWindows);
      return { rows: ofBatch, inputs: collate(ofBatch) };
    });
  });

  /** Logits within 1e-4 at every real token; the same best span but for ties. */
  function expectParity(logitsOf: readonly Logits[]): void {
    let largest = 0;
    for (const [i, { rows, inputs }] of batches.entries()) {
      for (const [j, row] of rows.entries()) {
        const cut = (values: Float32Array) =>
          values.subarray(j * inputs.tokenCount, j * inputs.tokenCount + row.ids.length);
        const theirs = { startLogits: cut(logitsOf[i]!.startLogits), endLogits: cut(logitsOf[i]!.endLogits) };
        for (const name of ["startLogits", "endLogits"] as const) {
          theirs[name].forEach((value, token) => {
            largest = Math.max(largest, Math.abs(value - row.ours[name][token]!));
          });
        }
        expectSameBest(row, theirs);
      }
    }
    process.stderr.write(`largest gap over ${rows.length} windows: ${largest.toExponential(1)}\n`);
    expect(largest).toBeLessThan(1e-4);
  }

  function expectSameBest(row: Row, theirs: Logits): void {
    const [expected, second] = searchOf(row, row.ours, decision).spans;
    const [got] = searchOf(row, theirs, decision).spans;
    if (!expected || (second && expected.score - second.score < 2e-4)) return;
    expect([got?.startCodePoint, got?.endCodePoint]).toEqual([expected.startCodePoint, expected.endCodePoint]);
  }

  test.each(["onnxruntime-node", "onnxruntime-web"])("%s", slow, async (name) => {
    const runtime = (await import(name)) as OnnxRuntime;
    const file = await readFile(join(model, "onnx/model.onnx"));
    const session = await openSession(runtime, file, {}, model);
    const logits: Logits[] = [];
    for (const { inputs } of batches) logits.push(await session.run(inputs));
    await session.dispose();
    expectParity(logits);
  });

  test.skipIf(!chromiumPath)(`onnxruntime-web in a real browser${skipReason}`, slow, async () => {
    const source = 'export * as ort from "onnxruntime-web/wasm"; export { openSession } from "./session.ts";';
    const at = await openPage(source, model);
    const { page, address } = at;
    await page.evaluate(
      `fetch("${address}/model/onnx/model.onnx").then((response) => response.arrayBuffer())
        .then((bytes) => bertqa.openSession(bertqa.ort, new Uint8Array(bytes), {}, "model"))
        .then((session) => { globalThis.session = session; })`,
    );
    const logits: Logits[] = [];
    for (const { inputs } of batches) {
      const numbers = (values: BigInt64Array) => [...values].map(Number);
      const plain = {
        windowCount: inputs.windowCount,
        tokenCount: inputs.tokenCount,
        inputIds: numbers(inputs.inputIds),
        attentionMask: numbers(inputs.attentionMask),
        tokenTypeIds: numbers(inputs.tokenTypeIds),
      };
      const output: { start: number[]; end: number[] } = await page.evaluate(
        `((inputs) => {
          for (const name of ["inputIds", "attentionMask", "tokenTypeIds"]) inputs[name] = BigInt64Array.from(inputs[name], BigInt);
          return session.run(inputs).then(({ startLogits, endLogits }) => ({ start: [...startLogits], end: [...endLogits] }));
        })(${JSON.stringify(plain)})`,
      );
      logits.push({ startLogits: Float32Array.from(output.start), endLogits: Float32Array.from(output.end) });
    }
    await at.close();
    expectParity(logits);
  });

  test.skipIf(!python)("Python's transformers", slow, () => {
    const rowsOf = (values: BigInt64Array, tokenCount: number) =>
      Array.from({ length: values.length / tokenCount }, (_, i) =>
        [...values.subarray(i * tokenCount, (i + 1) * tokenCount)].map(Number),
      );
    const input = batches.map(({ inputs: { tokenCount, inputIds, attentionMask, tokenTypeIds } }) => ({
      input_ids: rowsOf(inputIds, tokenCount),
      attention_mask: rowsOf(attentionMask, tokenCount),
      token_type_ids: rowsOf(tokenTypeIds, tokenCount),
    }));
    const script = join(import.meta.dirname, "parity_peer.py");
    const options = { input: JSON.stringify(input), encoding: "utf8", maxBuffer: 2 ** 30 } as const;
    const outputs = JSON.parse(execFileSync(python!, [script, model], options)) as {
      start: number[][];
      end: number[][];
    }[];
    expectParity(
      outputs.map(({ start, end }) => ({
        startLogits: Float32Array.from(start.flat()),
        endLogits: Float32Array.from(end.flat()),
      })),
    );
  });
});
