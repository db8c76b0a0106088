import type { FrameIds, TokenizedText, TokenRange, TokenSpan } from "@bertqa/answers";
import type { ListColumn, WindowColumns } from "@bertqa/core";

/** One window, by the parts it is put together from. */
export interface WindowParts {
  readonly questionId: string;
  readonly windowIndex: number;
  /** The question's token ids, without special ones and already capped. */
  readonly questionTokens: Int32Array;
  readonly context: TokenizedText;
  readonly range: TokenRange;
  /** uint8 [tokens of `range`] */
  readonly maxContext: Uint8Array;
  /** In context tokens; `undefined` for no answer here. */
  readonly label: TokenSpan | undefined;
}

/** Gathers windows into the columns of one shard, in typed arrays that grow. */
export class ShardBuilder {
  readonly #special: FrameIds;
  #questionIds: string[] = [];
  readonly #windowIndex = new GrowingInt32();
  readonly #inputIds = new GrowingList(new GrowingInt32());
  readonly #contextFirstToken = new GrowingInt32();
  readonly #contextTokenCount = new GrowingInt32();
  readonly #starts = new GrowingList(new GrowingInt32());
  readonly #ends = new GrowingList(new GrowingInt32());
  readonly #maxContext = new GrowingList(new GrowingUint8());
  readonly #startPosition = new GrowingInt32();
  readonly #endPosition = new GrowingInt32();

  constructor(special: FrameIds) {
    this.#special = special;
  }

  get rowCount(): number {
    return this.#questionIds.length;
  }

  /** Adds `[CLS] question [SEP] context part [SEP]`. */
  append({ questionId, windowIndex, questionTokens, context, range, maxContext, label }: WindowParts): void {
    const { first, end } = range;
    const contextFirstToken = questionTokens.length + 2;
    const toPosition = (token: number) => contextFirstToken + token - first;
    this.#questionIds.push(questionId);
    this.#windowIndex.push(windowIndex);
    this.#inputIds.pushRow(
      [this.#special.clsId],
      questionTokens,
      [this.#special.sepId],
      context.ids.subarray(first, end),
      [this.#special.sepId],
    );
    this.#contextFirstToken.push(contextFirstToken);
    this.#contextTokenCount.push(end - first);
    this.#starts.pushRow(context.startCodePoints.subarray(first, end));
    this.#ends.pushRow(context.endCodePoints.subarray(first, end));
    this.#maxContext.pushRow(maxContext);
    this.#startPosition.push(label ? toPosition(label.first) : 0);
    this.#endPosition.push(label ? toPosition(label.last) : 0);
  }

  /** The columns so far, copied; the builder starts again, empty. */
  take(): WindowColumns {
    const questionId = this.#questionIds;
    this.#questionIds = [];
    return {
      questionId,
      windowIndex: this.#windowIndex.take(),
      inputIds: this.#inputIds.take(),
      contextFirstToken: this.#contextFirstToken.take(),
      contextTokenCount: this.#contextTokenCount.take(),
      contextStartCodePoints: this.#starts.take(),
      contextEndCodePoints: this.#ends.take(),
      maxContext: this.#maxContext.take(),
      startPosition: this.#startPosition.take(),
      endPosition: this.#endPosition.take(),
    };
  }
}

type Growable = Int32Array | Uint8Array;

abstract class Growing<T extends Growable> {
  protected abstract allocate(capacity: number): T;
  #values: T | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    this.#reserve(1)[this.#length++] = value;
  }

  pushAll(values: ArrayLike<number>): void {
    this.#reserve(values.length).set(values, this.#length);
    this.#length += values.length;
  }

  take(): T {
    const taken = (this.#values?.slice(0, this.#length) ?? this.allocate(0)) as T;
    this.#length = 0;
    return taken;
  }

  #reserve(more: number): T {
    const needed = this.#length + more;
    if (this.#values && needed <= this.#values.length) return this.#values;
    const grown = this.allocate(Math.max(1024, 2 * needed));
    if (this.#values) grown.set(this.#values);
    this.#values = grown;
    return grown;
  }
}

class GrowingInt32 extends Growing<Int32Array> {
  protected allocate(capacity: number): Int32Array {
    return new Int32Array(capacity);
  }
}

class GrowingUint8 extends Growing<Uint8Array> {
  protected allocate(capacity: number): Uint8Array {
    return new Uint8Array(capacity);
  }
}

/** Rows of different lengths, laid end to end. */
class GrowingList<T extends Growable> {
  readonly #values: Growing<T>;
  readonly #rowEnds = new GrowingInt32();

  constructor(values: Growing<T>) {
    this.#values = values;
  }

  pushRow(...parts: readonly ArrayLike<number>[]): void {
    for (const part of parts) this.#values.pushAll(part);
    this.#rowEnds.push(this.#values.length);
  }

  take(): ListColumn<T> {
    const ends = this.#rowEnds.take();
    const offsets = new Int32Array(ends.length + 1);
    offsets.set(ends, 1);
    return { offsets, values: this.#values.take() };
  }
}
