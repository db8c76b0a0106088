import type { NullScore, ScoredSpan } from "./search.ts";

/** A candidate answer, in run_qa's key style; `text` "" is "no answer". */
interface AnswerCandidate {
  text: string;
  /** Softmax over the question's candidates. */
  probability: number;
  start_logit: number;
  end_logit: number;
  /** Character span in the context, end exclusive; `null` for no answer. */
  code_points: [number, number] | null;
  utf16: [number, number] | null;
}

/** What is said about one question. */
export interface Answer {
  /** The best span's text, or "" for no answer. */
  readonly prediction: string;
  /** The best span's text whatever the null score; "" where no span is eligible. */
  readonly bestSpan: string;
  /** Null score minus the best span's score: the larger, the likelier there is no answer. */
  readonly nullOdds: number;
  /** Best first: the n best of spans and no answer; no answer comes last where its score is too low for that. */
  readonly candidates: AnswerCandidate[];
}

export interface AnswerRules {
  /** Number of candidates, no answer not counted where it is added at the end (run_qa's n_best_size). */
  readonly nBest: number;
  /** No answer is predicted where the null odds are above this (run_qa's null_score_diff_threshold). */
  readonly nullScoreDifferenceThreshold: number;
  /** False for data where every question has an answer: then the best span is predicted, and no answer is no candidate. */
  readonly noAnswerAllowed: boolean;
}

/**
 * Null odds of a question without an eligible span (an empty context). Far above any difference of logits, yet a number
 * that JSON can hold and that a calibration survives.
 */
export const nullOddsWithoutSpan = 1000;

/**
 * Turns a question's scored spans into its answer. Texts are slices of the context.
 *
 * @param found   best spans, best first, and the null score, as `SpanSearch` gives them
 * @param utf16   UTF-16 index of each code point of the context and of its end, int32 [code points + 1];
 *                `undefined` where each code point is one unit
 */
export function answerFrom(
  found: { readonly spans: readonly ScoredSpan[]; readonly nullScore: NullScore | undefined },
  context: string,
  utf16: Int32Array | undefined,
  rules: AnswerRules,
): Answer {
  const toUtf16 = (codePoint: number) => (utf16 ? (utf16[codePoint] as number) : codePoint);
  const spans = found.spans.map((span): Unweighted => {
    const range: [number, number] = [toUtf16(span.startCodePoint), toUtf16(span.endCodePoint)];
    const codePoints: [number, number] = [span.startCodePoint, span.endCodePoint];
    return { score: span.score, text: context.slice(...range), codePoints, utf16: range, logits: span };
  });
  const best = spans[0];
  // Without a window there is nothing to compare with: no answer, with logits of 0, as run_qa's "empty".
  const nullScore = found.nullScore ?? { score: 0, startLogit: 0, endLogit: 0 };
  const nullOdds = best ? nullScore.score - best.score : nullOddsWithoutSpan;
  const isNull = !best || (rules.noAnswerAllowed && nullOdds > rules.nullScoreDifferenceThreshold);
  const nullCandidate = { score: nullScore.score, text: "", codePoints: null, utf16: null, logits: nullScore };
  const ranked = best && !rules.noAnswerAllowed ? spans : withNull(spans, nullCandidate, rules.nBest);
  return {
    prediction: isNull ? "" : best.text,
    bestSpan: best?.text ?? "",
    nullOdds,
    candidates: weighted(ranked),
  };
}

interface Unweighted {
  readonly score: number;
  readonly text: string;
  readonly codePoints: [number, number] | null;
  readonly utf16: [number, number] | null;
  readonly logits: { readonly startLogit: number; readonly endLogit: number };
}

/** The n best of spans and no answer (after the spans that it ties with); as in run_qa no answer is added where it fell out. */
function withNull(spans: readonly Unweighted[], nullCandidate: Unweighted, nBest: number): Unweighted[] {
  const place = spans.findIndex((span) => span.score < nullCandidate.score);
  const all = spans.toSpliced(place < 0 ? spans.length : place, 0, nullCandidate).slice(0, nBest);
  return all.includes(nullCandidate) ? all : [...all, nullCandidate];
}

function weighted(candidates: readonly Unweighted[]): AnswerCandidate[] {
  const highest = candidates.reduce((score, candidate) => Math.max(score, candidate.score), -Infinity);
  const weights = candidates.map((candidate) => Math.exp(candidate.score - highest));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return candidates.map(({ text, logits, codePoints, utf16 }, i) => ({
    text,
    probability: (weights[i] as number) / sum,
    start_logit: logits.startLogit,
    end_logit: logits.endLogit,
    code_points: codePoints,
    utf16,
  }));
}
