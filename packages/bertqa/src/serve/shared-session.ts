import type { ModelInputs } from "../batches.ts";
import type { Logits, ModelSession } from "../session.ts";

/** Part of a batch's places that may be padding so that windows of different length go together. */
const paddingAllowed = 0.25;

export interface RunRecord {
  readonly windows: number;
  /** Places of the batch, padding included: B × L. */
  readonly tokens: number;
  readonly milliseconds: number;
}

interface Waiting {
  readonly inputs: ModelInputs;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (logits: Logits) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * One model for many callers at once: what waits while the model runs goes through it together, the longest waiting first and
 * with it what is about as long. Nothing waits for company, so a lone question costs no delay; each caller has one batch
 * waiting at most, so a long passage takes turns with short ones.
 */
export class SharedSession {
  readonly #session: ModelSession;
  readonly #batchTokens: number;
  readonly #onRun: (record: RunRecord) => void;
  #waiting: Waiting[] = [];
  #isRunning = false;

  /** @param batchTokens of a merged batch with its padding, B × L */
  constructor(session: ModelSession, batchTokens: number, onRun: (record: RunRecord) => void = () => {}) {
    this.#session = session;
    this.#batchTokens = batchTokens;
    this.#onRun = onRun;
  }

  /** A view of the model whose batches are dropped, with the signal's reason, when the signal aborts. */
  withSignal(signal?: AbortSignal): ModelSession {
    return { run: async (inputs) => this.#enqueue(inputs, signal), dispose: async () => {} };
  }

  async #enqueue(inputs: ModelInputs, signal: AbortSignal | undefined): Promise<Logits> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ inputs, signal, resolve, reject });
      if (!this.#isRunning) void this.#runAll();
    });
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    // Callers that are about to ask in the same turn of the event loop come along.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      for (const { signal, reject } of this.#waiting) if (signal?.aborted) reject(signal.reason);
      this.#waiting = this.#waiting.filter(({ signal }) => !signal?.aborted);
      const chosen = chooseTogether(this.#waiting, this.#batchTokens);
      const isChosen = new Set(chosen);
      this.#waiting = this.#waiting.filter((each) => !isChosen.has(each));
      if (chosen.length > 0) await this.#runTogether(chosen);
    }
    this.#isRunning = false;
  }

  async #runTogether(chosen: readonly Waiting[]): Promise<void> {
    const merged = mergeInputs(chosen.map(({ inputs }) => inputs));
    const startedMs = performance.now();
    try {
      const logits = await this.#session.run(merged);
      const milliseconds = performance.now() - startedMs;
      this.#onRun({ windows: merged.windowCount, tokens: merged.windowCount * merged.tokenCount, milliseconds });
      let firstWindow = 0;
      for (const { inputs, resolve } of chosen) {
        resolve(sliceLogits(logits, merged.tokenCount, firstWindow, inputs));
        firstWindow += inputs.windowCount;
      }
    } catch (error) {
      for (const { reject } of chosen) reject(error);
    }
  }
}

/** The one that waits longest, and those nearest to it in length, as far as batch and padding allow. */
function chooseTogether(waiting: readonly Waiting[], batchTokens: number): Waiting[] {
  const [oldest, ...others] = waiting;
  if (!oldest) return [];
  const length = oldest.inputs.tokenCount;
  const nearest = others.toSorted(
    (a, b) => Math.abs(a.inputs.tokenCount - length) - Math.abs(b.inputs.tokenCount - length), // stable: then by age
  );
  const chosen = [oldest];
  let windows = oldest.inputs.windowCount;
  let longest = length;
  let places = windows * length;
  for (const each of nearest) {
    const { windowCount, tokenCount } = each.inputs;
    const nextLongest = Math.max(longest, tokenCount);
    const nextPlaces = places + windowCount * tokenCount;
    const padded = (windows + windowCount) * nextLongest;
    if (padded > batchTokens || padded - nextPlaces > paddingAllowed * padded) continue;
    chosen.push(each);
    [windows, longest, places] = [windows + windowCount, nextLongest, nextPlaces];
  }
  return chosen;
}

/** Puts batches under each other, padded to the longest. Each is int64 [B, L] row-major; padding is 0 throughout. */
function mergeInputs(parts: readonly ModelInputs[]): ModelInputs {
  if (parts.length === 1) return parts[0]!;
  const windowCount = parts.reduce((sum, part) => sum + part.windowCount, 0);
  const tokenCount = Math.max(...parts.map((part) => part.tokenCount));
  const join = (name: "inputIds" | "attentionMask" | "tokenTypeIds") => {
    const joined = new BigInt64Array(windowCount * tokenCount);
    let row = 0;
    for (const part of parts) {
      for (let i = 0; i < part.windowCount; i += 1, row += 1) {
        joined.set(part[name].subarray(i * part.tokenCount, (i + 1) * part.tokenCount), row * tokenCount);
      }
    }
    return joined;
  };
  return {
    windowCount,
    tokenCount,
    inputIds: join("inputIds"),
    attentionMask: join("attentionMask"),
    tokenTypeIds: join("tokenTypeIds"),
  };
}

/** @returns logits [B, L] of a part, from those of the whole, whose rows are `tokenCount` long */
function sliceLogits(logits: Logits, tokenCount: number, firstWindow: number, part: ModelInputs): Logits {
  const cut = (all: Float32Array) => {
    const own = new Float32Array(part.windowCount * part.tokenCount);
    for (let i = 0; i < part.windowCount; i += 1) {
      const start = (firstWindow + i) * tokenCount;
      own.set(all.subarray(start, start + part.tokenCount), i * part.tokenCount);
    }
    return own;
  };
  return { startLogits: cut(logits.startLogits), endLogits: cut(logits.endLogits) };
}
