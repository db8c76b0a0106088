import type { ModelInputs } from "../batches.ts";
import type { Logits, ModelSession } from "../session.ts";

/** Part of a batch's places that may be padding so that windows of different length go together. */
const paddingAllowed = 0.25;

export interface RunRecord {
  readonly windows: number;
  /** Places of the batch, padding included: B × L. */
  readonly tokens: number;
  readonly milliseconds: number;
  /** Of the time, what counts as this run's where others ran beside it. */
  readonly ownMilliseconds: number;
}

interface Waiting {
  readonly inputs: ModelInputs;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (logits: Logits) => void;
  readonly reject: (reason: unknown) => void;
}

export interface SharedSessionOptions {
  /** The model with all cores, for a run that has them to itself. */
  readonly whole: ModelSession;
  /** Copies with a part of the cores each, for runs beside each other; none: one run after another. */
  readonly copies?: readonly ModelSession[];
  /** Of a merged batch with its padding, B × L. */
  readonly batchTokens: number;
  readonly onRun?: (record: RunRecord) => void;
}

/**
 * One model for many callers at once. What waits alone has all cores. Where more waits, each run gets a copy of the model on its
 * own cores: within a run cores wait for each other after every operator, and lose more where something else wants one of them.
 * What waits longest goes first, and with it what is about as long, as far as `batchTokens` allows. Nothing waits for company;
 * each caller has one batch waiting at most, so a long passage takes turns with short ones.
 */
export class SharedSession {
  readonly #whole: ModelSession;
  readonly #batchTokens: number;
  readonly #onRun: (record: RunRecord) => void;
  readonly #copyCount: number;
  readonly #idleCopies: ModelSession[];
  #waiting: Waiting[] = [];
  #runs = 0;
  #isWholeRunning = false;
  #isScheduled = false;

  constructor({ whole, copies = [], batchTokens, onRun = () => {} }: SharedSessionOptions) {
    this.#whole = whole;
    this.#copyCount = copies.length;
    this.#idleCopies = [...copies];
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
      this.#schedule();
    });
  }

  /** In the next turn of the event loop, so that callers that are about to ask come along. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#startRuns();
    });
  }

  #startRuns(): void {
    for (const { signal, reject } of this.#waiting) if (signal?.aborted) reject(signal.reason);
    this.#waiting = this.#waiting.filter(({ signal }) => !signal?.aborted);
    while (this.#waiting.length > 0) {
      const chosen = new Set(chooseTogether(this.#waiting, this.#batchTokens));
      const session = this.#sessionFor(chosen.size);
      if (!session) return;
      this.#waiting = this.#waiting.filter((each) => !chosen.has(each));
      void this.#runTogether([...chosen], session);
    }
  }

  /** @returns what may run now, if anything may */
  #sessionFor(chosenCount: number): ModelSession | undefined {
    if (this.#isWholeRunning) return undefined;
    const isAlone = this.#runs === 0 && chosenCount === this.#waiting.length;
    return isAlone || this.#copyCount === 0 ? this.#whole : this.#idleCopies.pop();
  }

  async #runTogether(chosen: readonly Waiting[], session: ModelSession): Promise<void> {
    const merged = mergeInputs(chosen.map(({ inputs }) => inputs));
    const isWhole = session === this.#whole;
    const startedMs = performance.now();
    this.#runs += 1;
    this.#isWholeRunning = isWhole;
    try {
      const logits = await session.run(merged);
      const milliseconds = performance.now() - startedMs;
      const ownMilliseconds = isWhole ? milliseconds : milliseconds / this.#copyCount;
      const tokens = merged.windowCount * merged.tokenCount;
      this.#onRun({ windows: merged.windowCount, tokens, milliseconds, ownMilliseconds });
      let firstWindow = 0;
      for (const { inputs, resolve } of chosen) {
        resolve(sliceLogits(logits, merged.tokenCount, firstWindow, inputs));
        firstWindow += inputs.windowCount;
      }
    } catch (error) {
      for (const { reject } of chosen) reject(error);
    } finally {
      this.#runs -= 1;
      if (isWhole) this.#isWholeRunning = false;
      else this.#idleCopies.push(session);
      this.#schedule();
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
