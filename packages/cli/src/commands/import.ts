import { BertqaError, countOf, SeededRandom, type Reporter } from "@bertqa/core";
import { openQuestionFile, splitByDocument } from "@bertqa/formats";
import { createReporter } from "@bertqa/runner";
import {
  describeProblems,
  effectOf,
  readRows,
  squadText,
  summarizeProblems,
  type RawRow,
  type ReadingPurpose,
  type ReadSplit,
  type SquadFile,
} from "@bertqa/squad";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { writeWhole } from "../pipeline-files.ts";

export interface ImportFlags {
  readonly to: string;
  readonly as: ReadingPurpose;
  readonly split?: number;
  readonly dev?: string;
  readonly seed: number;
  readonly skipBad?: boolean;
  readonly force?: boolean;
}

type Articles = SquadFile["data"];

/** Reads files of questions in any known format and writes them as one SQuAD 2.0 file; see `bertqa import --help`. */
export async function importFiles(files: readonly string[], flags: ImportFlags): Promise<void> {
  const reporter = createReporter("import");
  const devPath = flags.split === undefined ? undefined : (flags.dev ?? join(dirname(flags.to), "dev.json"));
  const targets = [flags.to, ...(devPath === undefined ? [] : [devPath])];
  if (devPath !== undefined && resolve(devPath) === resolve(flags.to)) {
    throw new BertqaError("import", `train and dev would both be ${devPath}`, { remedy: "Give another --to or --dev" });
  }
  const taken = targets.find((path) => existsSync(path));
  if (taken !== undefined && !flags.force) {
    throw new BertqaError("import", `${taken} is already there`, { remedy: "Give --force to replace it" });
  }
  const read = await readQuestions("import", files, flags, reporter);
  const write = (path: string, articles: Articles) => writeQuestions("import", path, articles, reporter);
  if (flags.split === undefined || devPath === undefined) await write(flags.to, read.articles);
  else {
    const { train, dev, unit } = splitTrain("import", read.articles, flags.split, flags.seed, "Leave out --split");
    reporter.line(`dev: ${countOf(countQuestions(dev), "question")} by ${unit}, seed ${flags.seed}`);
    await write(flags.to, train);
    await write(devPath, dev);
  }
  process.stdout.write(`${targets.join("\n")}\n`);
}

/** Takes a dev file out of train. @throws BertqaError, with this remedy, where there is nothing to divide */
export function splitTrain(command: string, articles: Articles, share: number, seed: number, remedy: string) {
  const shuffled = <T>(items: readonly T[]) => new SeededRandom(seed, "dev").shuffled(items);
  const parts = splitByDocument(articles, share, shuffled);
  if (parts.train.length > 0 && parts.dev.length > 0) return parts;
  throw new BertqaError(command, "there is one passage, which cannot be divided into train and dev", { remedy });
}

/**
 * Reads files as one list of questions, says what was found, and lists problems in `<to>.problems.txt`.
 *
 * @param command whose errors they are
 * @throws BertqaError if a file is in no known format, or a row cannot be used and `skipBad` is not set
 */
export async function readQuestions(
  command: string,
  files: readonly string[],
  { to, as, skipBad }: Pick<ImportFlags, "to" | "as" | "skipBad">,
  reporter: Reporter,
): Promise<ReadSplit> {
  const rows: RawRow[] = [];
  for (const file of files) {
    const { format, rows: own } = await openQuestionFile(command, file);
    reporter.line(`${file}: ${format}, ${countOf(own.length, "row")}`);
    append(rows, own, files.length > 1 ? file : undefined);
  }
  const read = readRows(as, rows);
  const bad = read.problems.filter((problem) => effectOf(problem) === "row");
  const lines = describeProblems(as, read.problems);
  const list = `${to}.problems.txt`;
  for (const line of lines.slice(0, listedProblems)) reporter.line(line);
  // A list of before would name rows that are mended. Where it cannot be removed, nothing can be written, and that is told then.
  if (lines.length === 0) await rm(list, { force: true }).catch(() => undefined);
  else {
    await writeWhole(command, list, lines.map((line) => `${line}\n`).join(""));
    if (lines.length > listedProblems) reporter.line(`… and ${lines.length - listedProblems} more, all in ${list}`);
  }
  if (bad.length > 0 && !skipBad) {
    const remedy = `Fix them (all in ${list}), or give --skip-bad, which leaves them out`;
    throw new BertqaError(command, `${countOf(bad.length, "bad row")}: ${summarizeProblems(bad, ["row"]).join(", ")}`, {
      remedy,
    });
  }
  const summary = summarizeProblems(read.problems, ["row", "label", "reading"]);
  if (summary.length > 0) reporter.line(`warning: ${summary.join(", ")}`);
  for (const note of read.notes) reporter.line(`note: ${note}`);
  if (read.articles.length === 0) throw new BertqaError(command, "there is no question");
  return read;
}

const listedProblems = 20;

function append(rows: RawRow[], own: readonly RawRow[], file: string | undefined): void {
  const last = rows.at(-1);
  const [article, paragraph] = last ? [last.article + 1, last.paragraph + 1] : [0, 0];
  for (const row of own) {
    const named = file === undefined ? {} : { file, place: `${file}: ${row.place}` };
    rows.push({ ...row, ...named, article: row.article + article, paragraph: row.paragraph + paragraph });
  }
}

/** Writes a SQuAD 2.0 file, in full or not at all. */
export async function writeQuestions(
  command: string,
  path: string,
  articles: Articles,
  reporter: Reporter,
): Promise<void> {
  await writeWhole(command, path, squadText(command, articles, "Give a part of them"));
  const questions = articles.flatMap(({ paragraphs }) => paragraphs.flatMap(({ qas }) => qas));
  const unanswerable = questions.filter((qa) => qa.is_impossible).length;
  const parts = [
    countOf(articles.length, "article"),
    `${countOf(questions.length, "question")} (${unanswerable} unanswerable)`,
  ];
  reporter.line(`${path}: ${parts.join(", ")}`);
}

export function countQuestions(articles: Articles): number {
  return articles.reduce(
    (sum, { paragraphs }) => sum + paragraphs.reduce((count, { qas }) => count + qas.length, 0),
    0,
  );
}
