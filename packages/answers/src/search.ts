/** One window of a question with the model's scores of its tokens. L is its token count; longer arrays are fine. */
export interface ScoredWindow {
  /** float32 [L]; token 0 is [CLS], whose two logits say "no answer". */
  readonly startLogits: Float32Array;
  /** float32 [L] */
  readonly endLogits: Float32Array;
  /** First token of the context part. */
  readonly contextFirstToken: number;
  /** Number of context tokens, C. */
  readonly contextTokenCount: number;
  /** Where each context token starts in the context, in code points: int32 [C]. */
  readonly contextStartCodePoints: Int32Array;
  /** Where each context token ends, exclusive: int32 [C]. */
  readonly contextEndCodePoints: Int32Array;
  /** uint8 [C]; 1 where this window gives the token most context of all the question's windows. */
  readonly maxContext: Uint8Array;
}

/** A span of the context, end exclusive, in code points; its score is `startLogit + endLogit`. */
export interface ScoredSpan {
  readonly score: number;
  readonly startLogit: number;
  readonly endLogit: number;
  readonly startCodePoint: number;
  readonly endCodePoint: number;
}

/** The score of "no answer": [CLS]'s two logits in the window where their sum is lowest (run_qa's min_null_prediction). */
export interface NullScore {
  readonly score: number;
  readonly startLogit: number;
  readonly endLogit: number;
}

export interface SearchLimits {
  /** Number of spans to keep. */
  readonly nBest: number;
  /** Longest span, in tokens. */
  readonly maxAnswerTokens: number;
}

/**
 * What is kept of a question while its windows arrive, in any order. A span is eligible where it lies in the context,
 * is at most `maxAnswerTokens` long, holds a character, and this window gives its first token most context (the rule of
 * BERT and ELECTRA: elsewhere the model sees too little of one side).
 *
 * Ties: of equal scores the span that starts earlier comes first, then the shorter one. So the result depends neither
 * on the order of the windows nor on how they were batched.
 */
export class SpanSearch {
  readonly #limits: SearchLimits;
  /** The best spans so far, best first, no two of them over the same characters. */
  readonly #best: ScoredSpan[] = [];
  #nullScore: NullScore | undefined;

  constructor(limits: SearchLimits) {
    this.#limits = limits;
  }

  /** The n best spans, best first; of two over the same characters the higher alone. Empty where none is eligible. */
  get spans(): readonly ScoredSpan[] {
    return this.#best;
  }

  /** `undefined` before the first window. */
  get nullScore(): NullScore | undefined {
    return this.#nullScore;
  }

  /** Searches all eligible spans of a window: O(C × maxAnswerTokens), without a top-k of starts and ends before. */
  add(window: ScoredWindow): void {
    this.#addNullScore(window.startLogits[0] as number, window.endLogits[0] as number);
    const { startLogits, endLogits, contextFirstToken, contextTokenCount, maxContext } = window;
    for (let start = 0; start < contextTokenCount; start++) {
      if (maxContext[start] !== 1) continue;
      const startLogit = startLogits[contextFirstToken + start] as number;
      const stop = Math.min(start + this.#limits.maxAnswerTokens, contextTokenCount);
      for (let end = start; end < stop; end++) {
        const endLogit = endLogits[contextFirstToken + end] as number;
        if (startLogit + endLogit >= this.#floor()) {
          const startCodePoint = window.contextStartCodePoints[start] as number;
          const endCodePoint = window.contextEndCodePoints[end] as number;
          this.#offer({ score: startLogit + endLogit, startLogit, endLogit, startCodePoint, endCodePoint });
        }
      }
    }
  }

  #addNullScore(startLogit: number, endLogit: number): void {
    const found = { score: startLogit + endLogit, startLogit, endLogit };
    const { score, startLogit: lowest } = this.#nullScore ?? { score: Infinity, startLogit: Infinity };
    // Equal sums: the lower start logit, so that the order of the windows does not matter.
    if (found.score < score || (found.score === score && startLogit < lowest)) this.#nullScore = found;
  }

  /** Score of the last span kept; a lower one is of no use. */
  #floor(): number {
    return this.#best.length < this.#limits.nBest ? -Infinity : (this.#best.at(-1) as ScoredSpan).score;
  }

  #offer(span: ScoredSpan): void {
    if (span.endCodePoint <= span.startCodePoint) return;
    // A span pushed out earlier and offered again is no danger: n others beat it then, and still do.
    const twin = this.#best.findIndex(
      (kept) => kept.startCodePoint === span.startCodePoint && kept.endCodePoint === span.endCodePoint,
    );
    if (twin >= 0) {
      if (compareSpans(this.#best[twin] as ScoredSpan, span) <= 0) return;
      this.#best.splice(twin, 1);
    }
    let place = this.#best.length;
    while (place > 0 && compareSpans(span, this.#best[place - 1] as ScoredSpan) < 0) place--;
    this.#best.splice(place, 0, span);
    if (this.#best.length > this.#limits.nBest) this.#best.pop();
  }
}

/** Below 0 where `a` is the better span. */
function compareSpans(a: ScoredSpan, b: ScoredSpan): number {
  return (
    b.score - a.score ||
    a.startCodePoint - b.startCodePoint ||
    a.endCodePoint - b.endCodePoint ||
    b.startLogit - a.startLogit
  );
}
