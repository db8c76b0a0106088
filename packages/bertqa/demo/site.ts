import type { QuestionAnswer } from "../src/question-answering.ts";

/** `site.json`: what the demo's page knows of its model. Paths are relative to the page. */
export interface Site {
  /** As people call the model. */
  readonly name: string;
  /** Folder of the export's files. */
  readonly modelFolder: string;
  /** The files that are in it. */
  readonly modelFiles: readonly string[];
  /** Sizes in bytes, for the progress of loading. */
  readonly modelBytes: { readonly int8: number; readonly float32: number };
  /** ONNX Runtime's WebAssembly, and the module that starts its threads. */
  readonly wasm: { readonly path: string; readonly bytes: number; readonly modulePath: string };
  readonly selfTest: SelfTest;
}

/** What the service worker keeps. Paths are relative to the page. */
export interface OfflineFiles {
  /** Another one for any other content. */
  readonly version: string;
  /** Small, kept at once. */
  readonly shell: readonly string[];
  /** Large, named by their hash, with their sizes in bytes: kept when they are first asked for. */
  readonly large: Readonly<Record<string, number>>;
}

/** A question whose answer is known: float32's, as Node gave it when the demo was built. */
export interface SelfTest {
  readonly question: string;
  readonly context: string;
  readonly answer: string;
  /** UTF-16 units of the passage; null for no answer. */
  readonly utf16: readonly [start: number, end: number] | null;
  /** In logits. */
  readonly nullOdds: number;
}

/**
 * How far null odds may lie from the self-test's, in logits. Over 50 questions int8 lay 0.3 from float32 on average and 1.5 at most
 * (MiniLM-L6); the self-test's question is one on which they are near. Where 8-bit products saturate, scores are off by 10 and more.
 * Float32 differs in the fourth decimal.
 */
const tolerance = { int8: 1, float32: 0.01 } as const;

/** @returns what is wrong with an answer to the self-test's question; `undefined` where it passes */
export function selfTestProblem(
  test: SelfTest,
  got: QuestionAnswer,
  precision: keyof typeof tolerance,
): string | undefined {
  const gap = Math.abs(got.nullOdds - test.nullOdds);
  if (got.span?.utf16.join() !== test.utf16?.join()) {
    return `got “${got.answer}”, expected “${test.answer}”`;
  }
  // NaN is no number that lies within.
  if (gap <= tolerance[precision]) return undefined;
  return `null odds ${got.nullOdds.toFixed(3)}, expected ${test.nullOdds.toFixed(3)} within ${tolerance[precision]}`;
}
