import { expect, test } from "vitest";
import type { ModelInputs } from "../src/batches.ts";
import { SharedSession, type RunRecord } from "../src/serve/shared-session.ts";
import type { Logits, ModelSession } from "../src/session.ts";

/** Stands for the runtime: a run ends when the test says so, and its logits are the ids that went in. */
class HeldSession implements ModelSession {
  readonly runs: ModelInputs[] = [];
  #end: () => void = () => {};

  async run(inputs: ModelInputs): Promise<Logits> {
    this.runs.push(inputs);
    await new Promise<void>((resolve) => (this.#end = resolve));
    const values = Float32Array.from(inputs.inputIds, Number);
    return { startLogits: values, endLogits: values.map((value) => -value) };
  }

  dispose(): Promise<void> {
    return Promise.resolve();
  }

  /** Ends the run, and lets what follows from it happen. */
  async end(): Promise<void> {
    this.#end();
    await turn();
  }
}

/** Two turns of the event loop: one for what was asked, one for what starts then. */
async function turn(): Promise<void> {
  for (let i = 0; i < 2; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

function windowOf(...ids: number[]): ModelInputs {
  const inputIds = BigInt64Array.from(ids, BigInt);
  return { windowCount: 1, tokenCount: ids.length, inputIds, attentionMask: inputIds, tokenTypeIds: inputIds };
}

function sharedOf(copyCount: number, batchTokens = 1) {
  const [whole, copies] = [new HeldSession(), Array.from({ length: copyCount }, () => new HeldSession())];
  const records: RunRecord[] = [];
  const shared = new SharedSession({ whole, copies, batchTokens, onRun: (record) => records.push(record) });
  return { whole, copies, shared, records };
}

const runsOf = (sessions: readonly HeldSession[]) => sessions.map(({ runs }) => runs.length);

test("a window alone has all cores; what comes meanwhile waits, and then runs side by side on the copies", async () => {
  const { whole, copies, shared, records } = sharedOf(2);
  const first = shared.withSignal().run(windowOf(1, 2));
  await turn();
  expect(runsOf([whole, ...copies])).toEqual([1, 0, 0]);
  const others = [3, 4, 5].map((id) => shared.withSignal().run(windowOf(id)));
  await turn();
  expect(runsOf([whole, ...copies])).toEqual([1, 0, 0]);
  await whole.end();
  expect(await first).toEqual({ startLogits: Float32Array.of(1, 2), endLogits: Float32Array.of(-1, -2) });
  expect(runsOf([whole, ...copies])).toEqual([1, 1, 1]);
  // The last one runs beside the second: nobody is alone before both are done.
  await copies[1]!.end();
  expect(runsOf([whole, ...copies])).toEqual([1, 1, 2]);
  await copies[0]!.end();
  await copies[1]!.end();
  expect((await Promise.all(others)).map(({ startLogits }) => startLogits[0])).toEqual(
    expect.arrayContaining([3, 4, 5]),
  );
  // A copy has half of the cores.
  expect(records.map(({ milliseconds, ownMilliseconds }) => milliseconds / ownMilliseconds)).toEqual([1, 2, 2, 2]);
});

test("without copies one run follows another, the longest waiting first", async () => {
  const { whole, shared } = sharedOf(0);
  const asked = [1, 2, 3].map((id) => shared.withSignal().run(windowOf(id)));
  await turn();
  for (const [i, answer] of asked.entries()) {
    expect(whole.runs.map(({ inputIds }) => Number(inputIds[0]))).toEqual([1, 2, 3].slice(0, i + 1));
    await whole.end();
    expect((await answer).startLogits[0]).toBe(i + 1);
  }
});

test("what waits goes through a run together as far as the tokens allow, each caller with its own logits", async () => {
  const { whole, copies, shared } = sharedOf(1, 12);
  const asked = [windowOf(1, 2, 3, 4), windowOf(5, 6, 7), windowOf(8, 9, 10, 11)].map((window) =>
    shared.withSignal().run(window),
  );
  await turn();
  // All three fit, 3 × 4 tokens with one of padding, so that nobody else waits.
  expect(runsOf([whole, ...copies])).toEqual([1, 0]);
  await whole.end();
  const starts = (await Promise.all(asked)).map(({ startLogits }) => [...startLogits]);
  expect(starts).toEqual([
    [1, 2, 3, 4],
    [5, 6, 7],
    [8, 9, 10, 11],
  ]);
});

test("what was given up while it waited is not run, and a run that fails is its own callers' failure alone", async () => {
  const { whole, shared } = sharedOf(0);
  const client = new AbortController();
  const first = shared.withSignal().run(windowOf(1));
  const givenUp = expect(shared.withSignal(client.signal).run(windowOf(2))).rejects.toThrow("gone");
  const last = shared.withSignal().run(windowOf(3));
  await turn();
  client.abort(new Error("gone"));
  await whole.end();
  await givenUp;
  expect((await first).startLogits[0]).toBe(1);
  expect(whole.runs.map(({ inputIds }) => Number(inputIds[0]))).toEqual([1, 3]);
  await whole.end();
  expect((await last).startLogits[0]).toBe(3);
});
