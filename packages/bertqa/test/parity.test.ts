import { decide, SpanSearch, type Decision, type Passage } from "@bertqa/answers";
import { openDataset, openPredictions, openWindows } from "@bertqa/core";
import { execFileSync } from "node:child_process";
import { utf16OfCodePoint } from "@bertqa/squad";
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
const leastWindows = 200;
/** Scores that are nearer to each other than this are tied: twice what logits may differ by, for the sum of two. */
const tie = 2e-4;
const batchWindows = 8;
const slow = { timeout: 300_000 };

type Shard = Awaited<ReturnType<Awaited<ReturnType<typeof openWindows>>["readShard"]>>;

/** A window with our engine's logits of its L tokens. */
interface Row {
  readonly shard: Shard;
  readonly row: number;
  readonly questionId: string;
  readonly ids: Int32Array;
  readonly contextFirstToken: number;
  readonly ours: Logits;
}

/** All windows of dev questions evenly spread, each with what predict kept of it. */
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
  const ids = [...new Set(shard.questionId)];
  const every = Math.max(1, Math.floor(ids.length / leastWindows));
  const chosen = new Set(ids.filter((_, i) => i % every === 0));
  return shard.questionId.flatMap((id, row) => {
    if (!chosen.has(id)) return [];
    return [
      {
        shard,
        row,
        questionId: id,
        ids: shard.inputIds.values.subarray(shard.inputIds.offsets[row], shard.inputIds.offsets[row + 1]),
        contextFirstToken: shard.contextFirstToken[row]!,
        ours: kept.get(`${id} ${shard.windowIndex[row]}`)!,
      },
    ];
  });
}

/** The passages of dev questions, by question. */
async function readPassages(): Promise<ReadonlyMap<string, Passage>> {
  const questions = await (await openDataset("test", join(artifacts, "fetch"))).questions("dev");
  return new Map(questions.map(({ id, context }) => [id, { text: context, utf16: utf16OfCodePoint(context) }]));
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

/** Adds a window with one engine's logits to its question's search. */
function addTo(search: SpanSearch, { shard, row, contextFirstToken }: Row, logits: Logits): void {
  const list = <T extends Int32Array | Uint8Array>({ offsets, values }: { offsets: Int32Array; values: T }) =>
    values.subarray(offsets[row], offsets[row + 1]) as T;
  search.add({
    ...logits,
    contextFirstToken,
    contextTokenCount: shard.contextTokenCount[row]!,
    contextStartCodePoints: list(shard.contextStartCodePoints),
    contextEndCodePoints: list(shard.contextEndCodePoints),
    maxContext: list(shard.maxContext),
  });
}

describe.skipIf(!existsSync(join(model, "decision.json")))("on the windows of a trained model", () => {
  let rows: Row[];
  let batches: { readonly rows: readonly Row[]; readonly inputs: ModelInputs }[];
  let decision: Decision;
  let passages: ReadonlyMap<string, Passage>;
  beforeAll(async () => {
    passages = await readPassages();
    decision = JSON.parse(await readFile(join(model, "decision.json"), "utf8")) as Decision;
    rows = await readRows();
    batches = Array.from({ length: Math.ceil(rows.length / batchWindows) }, (_, i) => {
      const ofBatch = rows.slice(i * batchWindows, (i + 1) * batchWindows);
      return { rows: ofBatch, inputs: collate(ofBatch) };
    });
  });

  /** Logits within 1e-4 at every real token, and by our post-processing the same answers but for ties. */
  function expectParity(logitsOf: readonly Logits[]): void {
    let largest = 0;
    const searches = new Map<string, { readonly ours: SpanSearch; readonly theirs: SpanSearch }>();
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
        const found = searches.get(row.questionId) ?? {
          ours: new SpanSearch(decision),
          theirs: new SpanSearch(decision),
        };
        searches.set(row.questionId, found);
        addTo(found.ours, row, row.ours);
        addTo(found.theirs, row, theirs);
      }
    }
    process.stderr.write(`largest gap over ${rows.length} windows: ${largest.toExponential(1)}\n`);
    expect(largest).toBeLessThan(1e-4);
    expectSameAnswers(searches);
  }

  function expectSameAnswers(
    searches: ReadonlyMap<string, { readonly ours: SpanSearch; readonly theirs: SpanSearch }>,
  ): void {
    let compared = 0;
    for (const [id, { ours, theirs }] of searches) {
      const passage = passages.get(id)!;
      const [expected, got] = [decide(ours, passage, decision), decide(theirs, passage, decision)];
      const [best, second] = ours.spans;
      const isTied =
        (best && second && best.score - second.score < tie) ||
        Math.abs(expected.nullOdds - decision.threshold.nullOdds) < tie;
      if (isTied) continue;
      compared += 1;
      expect({ id, answer: got.answer, at: got.span?.codePoints }).toEqual({
        id,
        answer: expected.answer,
        at: expected.span?.codePoints,
      });
    }
    // Ties are rare: were all of them tied, nothing would have been compared.
    expect(compared).toBeGreaterThan(searches.size * 0.9);
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
