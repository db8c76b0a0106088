import { BertqaError, countOf, type DatasetSplit, type Reporter } from "@bertqa/core";
import { openQuestionFile } from "@bertqa/formats";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkDataset, describeCounts, hintsFor, type CheckedDataset, type RawSplit } from "./dataset.ts";
import type { FetchedFile } from "./download.ts";
import { drawRows } from "./draw.ts";
import type { FetchOptions } from "./options.ts";
import { badRows, describeProblems, summarizeBadRows, summarizeReadings } from "./problems.ts";
import { mapSplitsInTurn, splitEntries, type BySplit } from "./splits.ts";

/** Problems listed on the terminal; the others are in the file that holds them all. */
const listedProblems = 20;
const problemsFile = "problems.txt";

export interface ReadDatasetContext {
  readonly options: Pick<FetchOptions, "dataset" | "onInvalid">;
  /** The options file, for messages. */
  readonly where: string;
  readonly reporter: Reporter;
  /** Makes the folder for `problems.txt`. */
  readonly logFolder: () => Promise<string>;
}

/**
 * Reads the files, whatever their format, and says what was found: counts, what was lost or read otherwise, hints.
 *
 * @throws BertqaError if a file is in no known format, a split is empty or holds fewer than are to be drawn, or (`onInvalid: "fail"`) a row is bad
 */
export async function readDataset(files: BySplit<FetchedFile>, context: ReadDatasetContext): Promise<CheckedDataset> {
  const { options, where, reporter } = context;
  const open = async ({ path, origin, pin }: FetchedFile, split: DatasetSplit): Promise<RawSplit> => {
    const { format, rows } = await openQuestionFile("fetch", path, { name: origin, sha256: pin?.sha256 });
    if (format !== "SQuAD") reporter.line(`${split}: read as ${format}`);
    const { firstQuestions, draw } = options.dataset[split] ?? {};
    if (firstQuestions !== undefined && rows.length < firstQuestions) {
      const has = `its file has ${countOf(rows.length, "question")}`;
      reporter.line(`note: ${split}: ${has}, fewer than firstQuestions ${firstQuestions.toLocaleString("en-US")}`);
    }
    if (!draw) return { rows, firstQuestions };
    const drawnFrom = rows.slice(0, firstQuestions);
    if (drawnFrom.length < draw.questions) throw tooFewToDraw(split, draw.questions, drawnFrom.length, where);
    return { rows: drawRows(drawnFrom, draw), firstQuestions };
  };
  const dataset = checkDataset(await mapSplitsInTurn(files, open));
  const { counts, problems } = dataset;
  const list = await listProblems(dataset, context);
  const bad = badRows(splitEntries(problems).flatMap(([, found]) => found));
  if (bad.length > 0 && options.onInvalid === "fail") {
    const remedy = `Fix these rows${list ? `, all listed in ${list}` : ""}, or set onInvalid to "skip", which leaves them out and counts them`;
    throw new BertqaError("fetch", summarizeBadRows(bad), { remedy, where });
  }
  for (const [split, count] of splitEntries(counts)) {
    if (count.questions === 0) throw new BertqaError("fetch", `${split} holds no question`, { where });
    reporter.line(describeCounts(split, count, badRows(problems[split] ?? []).length));
  }
  for (const line of summarizeReadings(problems)) reporter.line(`warning: ${line}${list ? ` (${list})` : ""}`);
  for (const note of [...dataset.notes, ...hintsFor(dataset)]) reporter.line(`note: ${note}`);
  return dataset;
}

/** A number is asked for to be compared with others: of two cells of a curve that both hold all questions, one says what it is not. */
function tooFewToDraw(split: DatasetSplit, wanted: number, found: number, where: string): BertqaError {
  const problem = `${countOf(wanted, "question")} of ${split} were to be drawn, there are ${found.toLocaleString("en-US")}`;
  return new BertqaError("fetch", problem, { remedy: "Draw fewer, or leave out draw to take all", where });
}

/** @returns the file that holds them all; undefined where there are none */
async function listProblems({ problems }: CheckedDataset, context: ReadDatasetContext): Promise<string | undefined> {
  const lines = describeProblems(problems);
  if (lines.length === 0) return undefined;
  const path = join(await context.logFolder(), problemsFile);
  await writeFile(path, lines.map((line) => `${line}\n`).join(""));
  for (const line of lines.slice(0, listedProblems)) context.reporter.line(line);
  const more = lines.length - listedProblems;
  if (more > 0) context.reporter.line(`… and ${more.toLocaleString("en-US")} more, all in ${path}`);
  return path;
}
