import { spanProbabilities } from "@bertqa/squad";
import { reachOf, type Passage } from "./reach.ts";
import type { NullScore, ScoredSpan } from "./search.ts";

/** A candidate answer, in run_qa's key style; `text` "" is "no answer". */
export interface AnswerCandidate {
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
 * that JSON can hold. No threshold and no calibration may be chosen on it.
 */
export const nullOddsWithoutSpan = 1000;

/** What `SpanSearch` found: best spans, best first, and the null score (`undefined` before the first window). */
export interface FoundSpans {
  readonly spans: readonly ScoredSpan[];
  readonly nullScore: NullScore | undefined;
  /** Logit of "no answer" of a head of its own, where the model has one. */
  readonly answerability?: number;
}

/** A span as a slice of its passage. */
export interface PassageSpan {
  readonly text: string;
  /** Character span in the passage, end exclusive. */
  readonly codePoints: readonly [start: number, end: number];
  readonly utf16: readonly [start: number, end: number];
  /** `startLogit + endLogit` */
  readonly score: number;
  readonly startLogit: number;
  readonly endLogit: number;
}

/**
 * The spans found, as slices of the passage, best first: each as its tokens stand for it, without characters that make no
 * token at its edges. With them it would be a second candidate that nobody can tell from the first, for half of its share.
 */
export function spansOf({ spans }: FoundSpans, passage: Passage): PassageSpan[] {
  const toUtf16 = (codePoint: number) => (passage.utf16 ? (passage.utf16[codePoint] as number) : codePoint);
  const seen = new Set<string>();
  return spans.flatMap(({ startCodePoint, endCodePoint, score, startLogit, endLogit }) => {
    const { start, end } = reachOf(passage, { start: startCodePoint, end: endCodePoint })[0];
    const key = `${start}-${end}`;
    if (seen.has(key)) return [];
    seen.add(key);
    const codePoints = [start, end] as const;
    const utf16 = [toUtf16(start), toUtf16(end)] as const;
    return [{ text: passage.text.slice(...utf16), codePoints, utf16, score, startLogit, endLogit }];
  });
}

/** Null score minus the best span's score: the larger, the likelier there is no answer. */
export function nullOddsOf({ spans, nullScore }: FoundSpans): number {
  const best = spans[0];
  return best && nullScore ? nullScore.score - best.score : nullOddsWithoutSpan;
}

/** Turns a question's scored spans into its answer by run_qa's rules, as predict writes them. */
export function answerFrom(found: FoundSpans, passage: Passage, rules: AnswerRules): Answer {
  const spans = spansOf(found, passage);
  const best = spans[0];
  const nullOdds = nullOddsOf(found);
  const isNull = !best || (rules.noAnswerAllowed && nullOdds > rules.nullScoreDifferenceThreshold);
  // Without a window there is nothing to compare with: no answer, with logits of 0, as run_qa's "empty".
  const nullCandidate = { text: "", ...(found.nullScore ?? { score: 0, startLogit: 0, endLogit: 0 }) };
  const ranked =
    best && !rules.noAnswerAllowed ? spans.slice(0, rules.nBest) : withNull(spans, nullCandidate, rules.nBest);
  return {
    prediction: isNull ? "" : best.text,
    bestSpan: best?.text ?? "",
    nullOdds,
    candidates: weighted(ranked),
  };
}

type Unweighted = Omit<PassageSpan, "codePoints" | "utf16"> & Partial<PassageSpan>;

/** The n best of spans and no answer (after the spans that it ties with); as in run_qa no answer is added where it fell out. */
function withNull(spans: readonly Unweighted[], nullCandidate: Unweighted, nBest: number): Unweighted[] {
  const place = spans.findIndex((span) => span.score < nullCandidate.score);
  const all = spans.toSpliced(place < 0 ? spans.length : place, 0, nullCandidate).slice(0, nBest);
  return all.includes(nullCandidate) ? all : [...all, nullCandidate];
}

function weighted(candidates: readonly Unweighted[]): AnswerCandidate[] {
  const scores = candidates.map(({ score }) => score);
  const probabilities = spanProbabilities(scores, 0); // no answer is one of the candidates
  return candidates.map(({ text, startLogit, endLogit, codePoints, utf16 }, i) => ({
    text,
    probability: probabilities[i] as number,
    start_logit: startLogit,
    end_logit: endLogit,
    code_points: codePoints ? [...codePoints] : null,
    utf16: utf16 ? [...utf16] : null,
  }));
}
