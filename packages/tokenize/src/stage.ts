import {
  articleKey,
  BertqaError,
  countOf,
  defineStage,
  readJsonFile,
  tokenizerFiles,
  windowSplits,
  writeWindowShard,
  type ArtifactDraft,
  type DatasetArtifact,
  type Question,
  type Reporter,
  type WindowSplit,
} from "@bertqa/core";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import { endLines, manifestCounts, startLines, totalOf, type SplitCounts } from "./counts.ts";
import { madeUnanswerable, squadFileOf, withMade } from "./made-questions/made-questions.ts";
import { tokenizeOptionsSchema, type TokenizeOptions } from "./options.ts";
import { encodeQuestions, requireRoom, type QuestionTokens } from "./encode.ts";
import { startTally, windowShards, type UnmatchedAnswer } from "./split.ts";
import { loadTokenizer, tokenizersVersion, type BertTokenizer } from "./tokenizer.ts";
import { splitOffTune } from "./tune-split.ts";

const stage = "tokenize";
const encoderConfigSchema = z.object({ max_position_embeddings: z.int().positive(), vocab_size: z.int().positive() });

/** Something of each split; nothing of one that the dataset does not have. */
type BySplit<T> = Readonly<Partial<Record<WindowSplit, T>>>;

interface Split {
  readonly questions: readonly Question[];
  readonly questionTokens: QuestionTokens;
}

/**
 * Cuts the dataset's questions and passages into labelled windows, and holds a part of the train articles out as `tune`.
 * Equal inputs give equal bytes, whatever `workers` is.
 *
 * Throws a BertqaError if the tokenizer is not BERT's, `maxTokens` exceeds the encoder's positions, or the overlap leaves a
 * window no room to move.
 */
export const tokenizeStage = defineStage({
  name: stage,
  summary: "Cuts questions and passages into labelled windows of tokens",
  options: tokenizeOptionsSchema,
  incidentalOptions: ["workers"],
  reads: { dataset: { kind: "dataset", from: "fetch" } },
  writes: "windows",
  run: async ({ options, inputs: { dataset }, draft, reporter, where }) => {
    const tokenizer = await openTokenizer(dataset, options, where);
    const tune = splitOffTune(await dataset.questions("train"), { share: options.tuneShare, seed: options.seed });
    const extra = dataset.has("extra") ? await dataset.questions("extra") : [];
    const { made, wanted } = madeUnanswerable(tune.train, {
      share: options.madeUnanswerableShare,
      seed: options.seed,
    });
    const questions = {
      ...{ train: [...withMade(tune.train, made), ...extra], tune: tune.tune, dev: await dataset.questions("dev") },
      ...(dataset.has("sanity") ? { sanity: await dataset.questions("sanity") } : {}),
    };
    for (const line of startLines(tune, { ...questions, extra }, options)) reporter.line(line);
    if (options.madeUnanswerableShare > 0) await writeMade(made, wanted, draft, reporter);
    const splits = await encodeSplits(questions, tokenizer, options, where);
    await copyTokenizer(dataset, draft);
    const counts = await writeSplits({ draft, splits, tokenizer, options, reporter });
    const total = totalOf(Object.values(counts));
    for (const line of endLines(total, options)) reporter.line(line);
    return {
      counts: {
        ...manifestCounts(counts),
        "train.articles": countArticles(questions.train),
        "tune.articles": countArticles(questions.tune),
        ...(made.length > 0 && { "train.madeUnanswerable": made.length }),
        ...(made.length < wanted && { "train.madeUnanswerableMissing": wanted - made.length }),
        ...(extra.length > 0 && { "train.extraQuestions": extra.length }),
      },
      versions: { tokenizers: tokenizersVersion() },
    };
  },
});

async function writeMade(
  made: readonly Question[],
  wanted: number,
  draft: ArtifactDraft,
  reporter: Reporter,
): Promise<void> {
  await writeFile(await draft.path("made-questions.json"), `${JSON.stringify(squadFileOf(made), null, 1)}\n`);
  reporter.line(`${countOf(made.length, "unanswerable question")} made for train, to be read in made-questions.json`);
  if (made.length < wanted) {
    const problem = `that is ${(wanted - made.length).toLocaleString("en-US")} fewer than madeUnanswerableShare wants`;
    reporter.line(`warning: ${problem}: too few names, numbers and passages to make them of`);
  }
}

function countArticles(questions: readonly Question[]): number {
  return new Set(questions.map(articleKey)).size;
}

async function openTokenizer(
  dataset: DatasetArtifact,
  options: TokenizeOptions,
  where: string,
): Promise<BertTokenizer> {
  const config = await readJsonFile(stage, await dataset.artifact.file("encoder/config.json"), encoderConfigSchema);
  const positions = config.max_position_embeddings;
  if (options.maxTokens > positions) {
    const problem = `maxTokens is ${options.maxTokens}, but the encoder has ${positions} positions`;
    throw new BertqaError(stage, problem, { remedy: `Set maxTokens to ${positions} or less`, where });
  }
  const path = await dataset.encoderFile("tokenizer.json");
  if (path === undefined) {
    const remedy = "Choose an encoder that ships tokenizer.json, in fetch.json";
    throw new BertqaError(stage, "the encoder has no tokenizer.json", { remedy, where: dataset.artifact.folder });
  }
  const tokenizer = await loadTokenizer(await readFile(path, "utf8"), path, options.workers);
  if (tokenizer.vocabularySize <= config.vocab_size) return tokenizer;
  const problem = `the tokenizer has ${tokenizer.vocabularySize} tokens, but the encoder embeds ${config.vocab_size}`;
  throw new BertqaError(stage, problem, { remedy: "Take config.json and tokenizer.json of one encoder", where: path });
}

/** Encodes all questions first, so that an overlap without room is refused before anything is written. */
async function encodeSplits(
  questions: BySplit<readonly Question[]>,
  tokenizer: BertTokenizer,
  options: TokenizeOptions,
  where: string,
): Promise<BySplit<Split>> {
  const splits: Partial<Record<WindowSplit, Split>> = {};
  for (const split of windowSplits) {
    const given = questions[split];
    if (!given) continue;
    const questionTokens = await encodeQuestions(tokenizer, given, options.maxQuestionTokens);
    requireRoom(given, questionTokens, options, where);
    splits[split] = { questions: given, questionTokens };
  }
  return splits;
}

async function copyTokenizer(dataset: DatasetArtifact, draft: ArtifactDraft): Promise<void> {
  for (const name of tokenizerFiles) {
    const source = await dataset.encoderFile(name);
    if (source !== undefined) await copyFile(source, await draft.path(`tokenizer/${name}`));
  }
}

interface SplitsTask {
  readonly draft: ArtifactDraft;
  readonly splits: BySplit<Split>;
  readonly tokenizer: BertTokenizer;
  readonly options: TokenizeOptions;
  readonly reporter: Reporter;
}

async function writeSplits(task: SplitsTask): Promise<BySplit<SplitCounts>> {
  const { draft, splits, tokenizer, options, reporter } = task;
  const counts: Partial<Record<WindowSplit, SplitCounts>> = {};
  const unmatched: Partial<Record<WindowSplit, readonly UnmatchedAnswer[]>> = {};
  const total = Object.values(splits).reduce((sum, { questions }) => sum + questions.length, 0);
  const progress = reporter.progress(total, "questions");
  let done = 0;
  for (const split of windowSplits) {
    const given = splits[split];
    if (!given) continue;
    const tally = startTally(given);
    const onProgress = (questionsDone: number) => progress.update(done + questionsDone);
    let shard = 0;
    for await (const columns of windowShards({ tokenizer, options, onProgress, ...given }, tally)) {
      await writeWindowShard(draft, split, shard++, columns);
    }
    done += given.questions.length;
    counts[split] = tally.counts;
    unmatched[split] = tally.unmatched;
  }
  progress.stop();
  await writeFile(await draft.path("unmatched-answers.json"), `${JSON.stringify(unmatched, null, 2)}\n`);
  return counts;
}
