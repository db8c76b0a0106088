import { questionsOf, squadFileSchema, type Question } from "@bertqa/squad";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readTokenizerJson, readVocabulary, type Decision, type WordPieceTokenizer } from "../../src/index.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Reference files that are no part of the repository. */
export const sharedFolder = process.env["BERTQA_SHARED"] ?? at("../../../../../shared");
/** A small BERT tokenizer of our own; see `packages/tokenize/test/fixtures/make_fixtures.py`. */
export const encoderFolder = at("../../../tokenize/test/fixtures/encoder");
/** Files of the sample corpus, and of SQuAD 2.0 where they are at hand. */
export const corpora = [
  at("../../../../pipelines/sample/corpus/train.json"),
  at("../../../../pipelines/sample/corpus/dev.json"),
  `${sharedFolder}/squad2/train-10k.json`,
  `${sharedFolder}/squad2/dev.json`,
].filter((path) => existsSync(path));

export function questionsIn(path: string): Question[] {
  return questionsOf(squadFileSchema.parse(JSON.parse(readFileSync(path, "utf8"))));
}

export const fixtureQuestions = (name: string) => questionsIn(at(`../fixtures/${name}`));

export const encoderFile = (name: string) => readFileSync(`${encoderFolder}/${name}`, "utf8");

export const fixtureTokenizer = () => readTokenizerJson("test", encoderFile("tokenizer.json"), "tokenizer.json");

/** A lower-casing tokenizer that makes a token of every letter of these texts: the most ways to cut a span wrong. */
export function letterTokenizer(texts: readonly string[]): WordPieceTokenizer {
  const letters = [...new Set(texts.join("").normalize("NFD").toLowerCase())];
  const vocabulary = ["[UNK]", "[CLS]", "[SEP]", ...letters.flatMap((letter) => [letter, `##${letter}`])];
  return readVocabulary("test", vocabulary.join("\n"), { do_lower_case: true }, "vocab.txt");
}

/** Limits of an evaluation that measured nothing: the threshold is 0. */
export function decisionWith(limits: Pick<Decision, "window" | "maxAnswerTokens" | "nBest">): Decision {
  const counts = { questions: 0, answerable: 0, unanswerable: 0, articles: 0 };
  return {
    formatVersion: 1,
    ...limits,
    noAnswerAllowed: true,
    threshold: { nullOdds: 0, basis: { kind: "nothing", ...counts, text: "", rule: "" } },
    calibration: null,
    answerability: null,
  };
}
