import { BertqaError, countOf, readJsonFile, type Reporter } from "@bertqa/core";
import {
  bringEncoder,
  fetchEnvironment,
  fetchOptionsSchema,
  parseSource,
  pinContext,
  pinEncoder,
  pinFile,
  type FetchOptions,
} from "@bertqa/fetch";
import { createReporter } from "@bertqa/runner";
import { questionsOf, type SquadFile } from "@bertqa/squad";
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { z } from "zod";
import { lookAtData, type Look } from "../look.ts";
import { jsonFile, refuseTaken, writePipelineFolder } from "../pipeline-files.ts";
import { recipeFor, unanswerableRecipe } from "../recipe.ts";
import { stageNames } from "../stages.ts";
import { countQuestions, readQuestions, splitTrain, writeQuestions } from "./import.ts";

export interface NewFlags {
  readonly train: string;
  readonly dev?: string;
  readonly extra?: string;
  readonly encoder?: string;
  readonly seed: number;
  readonly skipBad?: boolean;
}

type Articles = SquadFile["data"];

/** The pipeline that a new one is modelled on: its encoder, and what Nx needs to know. */
const template = "pipelines/own-data";

/** Makes a pipeline of one's own data: `pipelines/<name>`, with limits and a recipe that fit the data. */
export async function newPipeline(name: string, flags: NewFlags): Promise<void> {
  const reporter = createReporter("new");
  const folder = join("pipelines", name);
  refuseName(name, folder);
  const data = await readData(name, folder, flags, reporter);
  const options = await fetchOptionsFor(folder, data.sources, flags, reporter);
  const encoder = await lookAtEncoder(options, folder, flags, reporter);
  const maxTokens = Math.min(384, encoder?.maxPositions ?? 384);
  const look = encoder && (await lookAtData(data.articles, encoder.tokenizer, maxTokens));
  for (const line of look?.lines ?? []) reporter.line(line);
  const learned = data.trainQuestions + data.extraQuestions;
  const recipe = recipeFor(learned, encoder?.hiddenSize ?? 384);
  const extra = data.extraQuestions > 0 ? `, ${data.extraQuestions.toLocaleString("en-US")} of them extra` : "";
  const rDrop = recipe.rDropWeight > 0 ? ", with R-Drop, which takes twice the time: rDropWeight 0 goes without" : "";
  const plan = `${recipe.epochs} epochs at ${recipe.learningRate}${rDrop}`;
  reporter.line(`${countOf(learned, "training question")}${extra}: ${plan}`);
  const unanswerable = hasUnanswerable(data.articles) ? unanswerableRecipe : undefined;
  // Last, so that a command that fails leaves nothing that the corrected one would meet.
  for (const [path, articles] of data.files) await writeQuestions("new", path, articles, reporter);
  await writePipeline(folder, name, {
    fetch: { ...options },
    tokenize: { ...tokenizeOptions(maxTokens, look), ...unanswerable?.tokenize },
    train: { ...recipe, warmupShare: 0.1, ...unanswerable?.train },
    evaluate: { ...unanswerable?.evaluate },
    predict: look && look.maxAnswerTokens !== 30 ? { maxAnswerTokens: look.maxAnswerTokens } : {},
  });
  reporter.line(`next: npx nx run ${name}:export`);
  process.stdout.write(`${folder}\n`);
}

function refuseName(name: string, folder: string): void {
  if (!existsSync("nx.json") || !existsSync(template)) {
    throw new BertqaError("new", "this folder is not the workspace's", { remedy: "Run it where nx.json lies" });
  }
  refuseTaken(name, folder);
}

type FileSource = string | { readonly url: string; readonly bytes: number; readonly sha256: string };

interface ReadData {
  /** For fetch.json: paths relative to the pipeline's folder, or addresses with their pins. */
  readonly sources: { readonly train: FileSource; readonly dev: FileSource; readonly extra?: FileSource };
  readonly trainQuestions: number;
  readonly extraQuestions: number;
  /** Of train and dev. */
  readonly articles: Articles;
  /** To write, by path: what was divided. */
  readonly files: ReadonlyMap<string, Articles>;
}

/** Reads the data; without a dev file, a tenth of train becomes one, in `data/<name>`. */
async function readData(name: string, folder: string, flags: NewFlags, reporter: Reporter): Promise<ReadData> {
  const own = (split: string) => join("data", name, `${split}.json`);
  const given = (path: string) => relative(folder, resolve(path));
  const taken = [own("train"), own("dev")].find((path) => flags.dev === undefined && existsSync(path));
  if (taken !== undefined) {
    throw new BertqaError("new", `${taken} is already there`, { remedy: "Remove it, or give --dev" });
  }
  const skipBad = flags.skipBad ?? false;
  const trainFile = await bringFile(flags.train, folder, reporter);
  const train = await readQuestions("new", [trainFile.path], { to: own("train"), as: "train", skipBad }, reporter);
  const extraFile = flags.extra === undefined ? undefined : await bringFile(flags.extra, folder, reporter);
  const extra =
    extraFile && (await readQuestions("new", [extraFile.path], { to: own("extra"), as: "train", skipBad }, reporter));
  const beside = extraFile && { extra: extraFile.source };
  const extraQuestions = countQuestions(extra?.articles ?? []);
  if (flags.dev !== undefined) {
    const devFile = await bringFile(flags.dev, folder, reporter);
    const dev = await readQuestions("new", [devFile.path], { to: own("dev"), as: "dev", skipBad }, reporter);
    const sources = { train: trainFile.source, dev: devFile.source, ...beside };
    const articles = [...train.articles, ...dev.articles];
    return { sources, trainQuestions: countQuestions(train.articles), extraQuestions, articles, files: new Map() };
  }
  const parts = splitTrain("new", train.articles, 0.1, flags.seed, "Give questions to measure by with --dev FILE");
  reporter.line(`no --dev: ${countOf(countQuestions(parts.dev), "question")} of train become dev, by ${parts.unit}`);
  const files = new Map([
    [own("train"), parts.train],
    [own("dev"), parts.dev],
  ]);
  const sources = { train: given(own("train")), dev: given(own("dev")), ...beside };
  return { sources, trainQuestions: countQuestions(parts.train), extraQuestions, articles: train.articles, files };
}

/** A file on this machine, or one that is brought from its address and pinned. */
async function bringFile(label: string, folder: string, reporter: Reporter) {
  if (parseSource(label).kind === "local") return { path: label, source: relative(folder, resolve(label)) };
  const { label: url, files } = await pinFile(label, pinContext(folder, reporter));
  const { path, pin } = files.get("") as { path: string; pin: { bytes: number; sha256: string } };
  return { path, source: { url, ...pin } };
}

async function fetchOptionsFor(
  folder: string,
  { train, dev, extra }: ReadData["sources"],
  { encoder, skipBad }: NewFlags,
  reporter: Reporter,
): Promise<FetchOptions> {
  const dataset = {
    train: { sources: [train] },
    dev: { sources: [dev] },
    ...(extra && { extra: { sources: [extra] } }),
  };
  const chosen = encoder === undefined ? await templateEncoder() : await encoderOptions(encoder, folder, reporter);
  return fetchOptionsSchema.parse({ dataset, ...(skipBad ? { onInvalid: "skip" } : {}), encoder: chosen });
}

async function templateEncoder(): Promise<unknown> {
  const schema = z.object({ encoder: z.unknown() });
  return (await readJsonFile("new", join(template, "fetch.json"), schema)).encoder;
}

async function encoderOptions(label: string, folder: string, reporter: Reporter): Promise<unknown> {
  const source = parseSource(label);
  if (source.kind === "local") return { sources: [relative(folder, resolve(label))] };
  const pinned = await pinEncoder(label, pinContext(folder, reporter));
  const files = Object.fromEntries([...pinned.files].map(([name, { pin }]) => [name, pin]));
  return { sources: [pinned.label], files };
}

/** The encoder's tokenizer and sizes; nothing where the usual one cannot be had now, as without a network. */
async function lookAtEncoder(options: FetchOptions, folder: string, flags: NewFlags, reporter: Reporter) {
  try {
    return await bringEncoder(options, folder, fetchEnvironment(), reporter);
  } catch (error) {
    if (!(error instanceof BertqaError) || flags.encoder !== undefined) throw error;
    reporter.line(`${error.message} The limits are the defaults then.`);
    return undefined;
  }
}

function hasUnanswerable(articles: Articles): boolean {
  return questionsOf({ data: articles }).some(({ answers, isUnlabelled }) => answers.length === 0 && !isUnlabelled);
}

function tokenizeOptions(maxTokens: number, look: Look | undefined): Record<string, unknown> {
  const question = look && look.maxQuestionTokens !== 64 ? { maxQuestionTokens: look.maxQuestionTokens } : {};
  return { maxTokens, windowOverlapTokens: Math.floor(maxTokens / 3), ...question };
}

async function writePipeline(folder: string, name: string, options: Readonly<Record<string, object>>): Promise<void> {
  const schema = z.looseObject({ name: z.string() });
  const project = await readJsonFile("new", join(template, "project.json"), schema);
  const files = new Map([["project.json", jsonFile({ ...project, name }).replaceAll(template, folder)]]);
  for (const stage of stageNames) {
    if (!existsSync(join(template, `${stage}.json`))) continue;
    const file = { $schema: `../schema/${stage}.schema.json`, ...options[stage] };
    files.set(`${stage}.json`, jsonFile(file));
  }
  files.set("README.md", readmeOf(name));
  await writePipelineFolder(folder, files);
}

function readmeOf(name: string): string {
  const commands = `npx nx run ${name}:export\nnpx bertqa serve --model artifacts/${name}/export`;
  const report = `The report is \`artifacts/${name}/evaluate/report.html\`.`;
  return `# ${name}\n\n\`\`\`sh\n${commands}\n\`\`\`\n\n${report} What each file sets: [own-data](../own-data/README.md).\n`;
}
