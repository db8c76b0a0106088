import {
  datasetLayout,
  datasetSplits,
  predictionSplits,
  modelLayout,
  offsetsOfLengths,
  questionsOf,
  sha256Of,
  utf16OfCodePoint,
  writeWindowShard,
  type Artifact,
  type DatasetSplit,
  type PredictionSplit,
  type Question,
  type SquadFile,
  type WindowColumns,
  type WindowShard,
} from "@bertqa/core";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestFolders } from "../../../test/support/run-stage.ts";
import { writeArtifact } from "@bertqa/runner";

/** Number of token ids: 0 padding, 1 [CLS], 2 [SEP], words from 3 on. */
export const vocabularySize = 37;

/** A word's token id, the same in every test. */
function idOf(word: string): number {
  return 3 + (Number.parseInt(sha256Of(word).slice(0, 8), 16) % (vocabularySize - 3));
}

/** Words of a text with their places in code points. */
function wordsOf(text: string) {
  const utf16 = utf16OfCodePoint(text);
  const codePointOf = (index: number) => (utf16 ? utf16.indexOf(index) : index);
  return [...text.matchAll(/\S+/gu)].map((match) => ({
    id: idOf(match[0]),
    start: codePointOf(match.index),
    end: codePointOf(match.index + match[0].length),
  }));
}

/** A SQuAD file with an article a context; each question is `[id, text]` and has no answer. */
export function squadFile(articles: [context: string, ...questions: [id: string, text: string][]][]): SquadFile {
  return {
    version: "v2.0",
    data: articles.map(([context, ...questions], i) => ({
      title: `Article ${i}`,
      paragraphs: [
        { context, qas: questions.map(([id, question]) => ({ id, question, answers: [], is_impossible: true })) },
      ],
    })),
  };
}

/**
 * Windows of questions by a word tokenizer: `[CLS] question [SEP] context part [SEP]` with parts of `partTokens` words,
 * of which each shares half with the next.
 */
export function windowsOf(questions: readonly Question[], partTokens: number): WindowShard {
  const rows = questions.flatMap((question) => {
    const context = wordsOf(question.context);
    const firsts = [0];
    while ((firsts.at(-1) as number) + partTokens < context.length)
      firsts.push((firsts.at(-1) as number) + partTokens / 2);
    const head = [1, ...wordsOf(question.question).map((word) => word.id), 2];
    return firsts.map((first, windowIndex) => {
      const part = context.slice(first, first + partTokens);
      const inputIds = [...head, ...part.map((word) => word.id), 2];
      // The window whose nearer edge is furthest away gives a token most context; of equals the first.
      const distance = (token: number, from: number) =>
        Math.min(token - from, Math.min(from + partTokens, context.length) - 1 - token);
      const best = (token: number) => firsts.reduce((a, b) => (distance(token, b) > distance(token, a) ? b : a));
      const maxContext = part.map((_, i) => (best(first + i) === first ? 1 : 0));
      return { question, windowIndex, inputIds, contextFirstToken: head.length, part, maxContext };
    });
  });
  const list = (values: number[][]) => ({
    offsets: offsetsOfLengths(values.map((row) => row.length)),
    values: values.flat(),
  });
  const int32List = (values: number[][]) => ({ ...list(values), values: Int32Array.from(values.flat()) });
  return {
    rowCount: rows.length,
    questionId: rows.map((row) => row.question.id),
    windowIndex: Int32Array.from(rows, (row) => row.windowIndex),
    inputIds: int32List(rows.map((row) => row.inputIds)),
    contextFirstToken: Int32Array.from(rows, (row) => row.contextFirstToken),
    contextTokenCount: Int32Array.from(rows, (row) => row.part.length),
    contextStartCodePoints: int32List(rows.map((row) => row.part.map((word) => word.start))),
    contextEndCodePoints: int32List(rows.map((row) => row.part.map((word) => word.end))),
    maxContext: {
      ...list(rows.map((row) => row.maxContext)),
      values: Uint8Array.from(rows.flatMap((row) => row.maxContext)),
    },
    startPosition: new Int32Array(rows.length),
    endPosition: new Int32Array(rows.length),
    plausibleStartPosition: new Int32Array(rows.length),
    plausibleEndPosition: new Int32Array(rows.length),
  };
}

/** Folders of a pipeline in a temporary folder, and how to remove them. */
export async function temporaryFolders(): Promise<TestFolders & { remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "bertqa-predict-"));
  return { pipelineFolder: folder, artifactsFolder: folder, remove: () => rm(folder, { recursive: true }) };
}

export function writeDataset(folders: TestFolders, files: Partial<Record<DatasetSplit, SquadFile>>): Promise<Artifact> {
  return writeArtifact("test", join(folders.artifactsFolder, "fetch"), async (draft) => {
    for (const split of datasetSplits) {
      if (files[split]) await writeFile(await draft.path(datasetLayout.splitFile(split)), JSON.stringify(files[split]));
    }
    return { kind: "dataset", options: {}, counts: {}, versions: {}, inputs: {} };
  });
}

/** Writes the windows of `dev`, and of `tune` (all train questions) and `sanity` where asked; two shards each, the first of one question. */
export function writeWindows(
  folders: TestFolders,
  dataset: Artifact,
  splits: Partial<Record<PredictionSplit, SquadFile>>,
  partTokens = 8,
  counts: Readonly<Record<string, number>> = {},
): Promise<Artifact> {
  return writeArtifact("test", join(folders.artifactsFolder, "tokenize"), async (draft) => {
    for (const split of predictionSplits) {
      if (!splits[split]) continue;
      const questions = questionsOf(splits[split]);
      const shards: WindowColumns[] = [questions.slice(0, 1), questions.slice(1)].map((part) =>
        windowsOf(part, partTokens),
      );
      for (const [index, shard] of shards.entries()) await writeWindowShard(draft, split, index, shard);
    }
    const inputs = { dataset: dataset.manifest.contentSha256 };
    return { kind: "windows", options: {}, counts, versions: {}, inputs };
  });
}

/** Writes a model artifact whose folder `fill` fills. */
export function writeModel(folders: TestFolders, fill: (modelFolder: string) => Promise<void>): Promise<Artifact> {
  return writeArtifact("test", join(folders.artifactsFolder, "train"), async (draft) => {
    await fill(await draft.path(modelLayout.modelFolder));
    return { kind: "model", options: {}, counts: {}, versions: {}, inputs: {} };
  });
}
