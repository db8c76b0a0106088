import { BertqaError, datasetLayout, defineStage, parseJson, type ArtifactDraft, type Reporter } from "@bertqa/core";
import { constants } from "node:fs";
import { chmod, copyFile, readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import { checkDataset, countsFor, describeCounts, hintsFor, serializeSplit, type CheckedDataset } from "./dataset.ts";
import { fetchFiles, type FetchedFile } from "./download.ts";
import { encoderConfigSchema, findEncoderProblem, tokenizerSchema } from "./encoder.ts";
import { fetchEnvironment, type FetchEnvironment } from "./environment.ts";
import { fetchOptionsSchema, type FetchOptions } from "./options.ts";
import { planFetch, type FetchSet } from "./plan.ts";
import { countSkipped, describeProblems, summarizeProblems } from "./problems.ts";

/**
 * Brings the dataset and the encoder from their sources, checks them, and writes them as one artifact.
 *
 * Throws a BertqaError if no source gives a file, a file is not the pinned one, or (`onInvalid: "fail"`) a row is bad.
 *
 * @param environmentOf where downloads are kept and how they are tried again; for tests
 */
export function createFetchStage(environmentOf: () => FetchEnvironment) {
  return defineStage({
    name: "fetch",
    summary: "Brings a dataset and a pretrained encoder from their sources and checks them",
    options: fetchOptionsSchema,
    reads: {},
    writes: "dataset",
    run: async ({ options, draft, reporter, pipelineFolder, where }) => {
      const environment = environmentOf();
      const plan = planFetch(options, { pipelineFolder, hubEndpoint: environment.hubEndpoint });
      const bring = (title: FetchSet["title"]) =>
        fetchFiles(plan.find((set) => set.title === title) as FetchSet, where, environment, reporter);
      const { train, dev } = options.dataset;
      const dataset = checkDataset(
        { data: await readRows(await bring("train"), "train.json"), firstQuestions: train.firstQuestions },
        { data: await readRows(await bring("dev"), "dev.json"), firstQuestions: dev.firstQuestions },
      );
      reportDataset(dataset, options.onInvalid, where, reporter);
      const encoder = await bring("encoder");
      await checkEncoder(encoder);
      await writeSplits(draft, dataset);
      await copyEncoder(draft, encoder);
      return { counts: countsFor(dataset) };
    },
  });
}

export const fetchStage = createFetchStage(fetchEnvironment);

type FetchedFiles = ReadonlyMap<string, FetchedFile>;

async function readJson<T>(files: FetchedFiles, name: string, schema: z.ZodType<T>): Promise<T> {
  const { path, origin } = files.get(name) as FetchedFile;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    const problem = cause instanceof TypeError ? "is not UTF-8" : `cannot be read: ${code}`;
    throw new BertqaError("fetch", `${origin} ${problem}`, { remedy: "Fix the file and run again", cause });
  }
  return parseJson("fetch", text, origin, schema);
}

async function readRows(files: FetchedFiles, name: string): Promise<unknown[]> {
  const file = await readJson(files, name, z.unknown());
  const parsed = z.object({ data: z.array(z.unknown()) }).safeParse(file);
  if (parsed.success) return parsed.data.data;
  const keys = typeof file === "object" && file !== null && !Array.isArray(file) ? Object.keys(file).slice(0, 5) : [];
  const got = Array.isArray(file) ? "an array" : keys.length > 0 ? `keys ${keys.join(", ")}` : `a ${typeof file}`;
  throw new BertqaError(
    "fetch",
    `${files.get(name)?.origin} is not in SQuAD's format: got ${got}, expected an object with an array "data"`,
  );
}

function reportDataset(
  dataset: CheckedDataset,
  onInvalid: FetchOptions["onInvalid"],
  where: string,
  reporter: Reporter,
) {
  const { problems, counts } = dataset;
  for (const line of describeProblems(problems)) reporter.line(line);
  if (problems.length > 0 && onInvalid === "fail") {
    const remedy = `Fix the rows listed above, or set onInvalid to "skip", which leaves them out and counts them`;
    throw new BertqaError("fetch", summarizeProblems(problems), { remedy, where });
  }
  for (const split of ["train", "dev"] as const) {
    if (counts[split].questions === 0) throw new BertqaError("fetch", `${split} holds no question`, { where });
    const skipped = countSkipped(split, problems)[`${split}Skipped`] ?? 0;
    reporter.line(describeCounts(split, counts[split], skipped));
  }
  for (const hint of hintsFor(dataset)) reporter.line(`note: ${hint}`);
}

async function checkEncoder(files: FetchedFiles): Promise<void> {
  const config = await readJson(files, "config.json", encoderConfigSchema);
  const tokenizer = await readJson(files, "tokenizer.json", tokenizerSchema);
  const problem = findEncoderProblem(config, tokenizer);
  if (!problem) return;
  const remedy = "Take a BERT encoder with its own tokenizer.json: see encoder.sources";
  throw new BertqaError("fetch", `the encoder does not fit: ${problem}`, {
    remedy,
    where: files.get("config.json")?.origin ?? "",
  });
}

async function writeSplits(draft: ArtifactDraft, { data }: CheckedDataset): Promise<void> {
  for (const split of ["train", "dev"] as const) {
    await writeFile(await draft.path(datasetLayout.splitFile(split)), serializeSplit(data[split]));
  }
}

async function copyEncoder(draft: ArtifactDraft, files: FetchedFiles): Promise<void> {
  for (const [name, { path }] of files) {
    const copy = await draft.path(`${datasetLayout.encoderFolder}/${name}`);
    // A clone where the file system can (btrfs, xfs): no second copy on disk.
    await copyFile(path, copy, constants.COPYFILE_FICLONE);
    // A copy keeps the mode, and a read-only artifact cannot be flushed to disk, nor replaced by Nx.
    await chmod(copy, 0o644);
  }
}
