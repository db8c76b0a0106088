import {
  evaluationLayout,
  nullOddsThresholdSchema,
  sanityScoreSchema,
  primarySchema,
  thresholdKinds,
  type RecordContext,
  type ReportHead,
} from "@bertqa/core";
import { execFile } from "node:child_process";
import { appendFile, copyFile, mkdir, readFile, rename, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { isAbsolute, join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";

/** Evaluations whose question results are kept. */
export const keptEvaluations = 20;

const entrySchema = z.object({
  formatVersion: z.literal(1),
  /** ISO 8601, UTC. */
  date: z.string(),
  /** `contentSha256` of the evaluation artifact. */
  evaluation: z.string().regex(/^[0-9a-f]{64}$/),
  /** Short hash, with `-dirty` where tracked files differ; null outside a git work tree. */
  commit: z.string().nullable(),
  options: z.record(z.string(), z.unknown()),
  /** `contentSha256` of each artifact that was read. */
  inputs: z.record(z.string(), z.string()),
  primary: primarySchema,
  scores: z.array(
    z.object({
      kind: z.enum(thresholdKinds),
      nullOddsThreshold: nullOddsThresholdSchema,
      exact: z.number(),
      f1: z.number(),
      total: z.number(),
    }),
  ),
  /** The sanity set at the primary threshold; left out where there is none. */
  sanity: sanityScoreSchema.exactOptional(),
  elapsedMs: z.number(),
});
/** One line of `history.jsonl`, which lies beside a pipeline's artifacts and is only ever appended to. */
export type HistoryEntry = z.output<typeof entrySchema>;

/** What was evaluated in a pipeline, the oldest first. */
export interface History {
  readonly entries: readonly HistoryEntry[];
  /** Lines that are cut short, broken or of another format: they are skipped. */
  readonly skippedLines: number;
}

/** Reads the history beside a pipeline's artifacts; empty before the first evaluation. */
export async function readHistory(artifactsFolder: string): Promise<History> {
  return parseHistory(await readText(historyPath(artifactsFolder)));
}

export function parseHistory(text: string): History {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const parsed = lines.map((line) => entrySchema.safeParse(parsedOrUndefined(line)));
  const entries = parsed.flatMap(({ data }) => data ?? []);
  return { entries, skippedLines: lines.length - entries.length };
}

/** Where the question results of an evaluation of the history are kept, by the hash of its content. */
export function keptResultsPath(artifactsFolder: string, evaluation: string): string {
  return join(artifactsFolder, "history", `${evaluation}.jsonl`);
}

/** Adds an evaluation to the history, and keeps its question results for later comparisons. */
export async function recordEvaluation(context: RecordContext, report: ReportHead): Promise<void> {
  const { artifact, artifactsFolder, pipelineFolder, inputs, elapsedMs } = context;
  const { options, contentSha256: evaluation } = artifact.manifest;
  const scores = report.scores.map(({ kind, nullOddsThreshold, all: { exact, f1, total } }) => {
    return { kind, nullOddsThreshold, exact: exact.value, f1: f1.value, total };
  });
  const entry: HistoryEntry = {
    formatVersion: 1,
    date: new Date().toISOString(),
    evaluation,
    commit: await currentCommit(pipelineFolder),
    options,
    inputs: { ...inputs },
    primary: report.primary,
    scores,
    ...(report.sanity && { sanity: report.sanity.all }),
    elapsedMs: Math.round(elapsedMs),
  };
  const kept = keptResultsPath(artifactsFolder, evaluation);
  await mkdir(join(artifactsFolder, "history"), { recursive: true });
  await copyFile(await artifact.file(evaluationLayout.questions), `${kept}.partial`);
  await rename(`${kept}.partial`, kept);
  const textBefore = await readText(historyPath(artifactsFolder));
  await appendFile(historyPath(artifactsFolder), historyLine(entry, textBefore), { flush: true });
  await removeOldResults(artifactsFolder, [...parseHistory(textBefore).entries, entry]);
}

/** The text to append for an entry; a last line without its end, from a process that was killed, gets one first. */
export function historyLine(entry: HistoryEntry, textBefore: string): string {
  const isCutShort = textBefore !== "" && !textBefore.endsWith("\n");
  return `${isCutShort ? "\n" : ""}${JSON.stringify(entry)}\n`;
}

async function removeOldResults(artifactsFolder: string, entries: readonly HistoryEntry[]): Promise<void> {
  const newestFirst = [...new Set(entries.map(({ evaluation }) => evaluation).reverse())];
  for (const old of newestFirst.slice(keptEvaluations))
    await rm(keptResultsPath(artifactsFolder, old), { force: true });
}

/**
 * The short hash of the commit of this workspace, with `-dirty` where tracked files differ; null outside git, and for a
 * pipeline elsewhere: git would run what that folder's configuration names.
 */
export async function currentCommit(pipelineFolder: string): Promise<string | null> {
  const workspace = resolve(import.meta.dirname, "../../..");
  const inside = relative(workspace, resolve(pipelineFolder));
  if (inside.startsWith("..") || isAbsolute(inside) || !existsSync(join(workspace, ".git"))) return null;
  const git = (...args: string[]) =>
    promisify(execFile)("git", ["-c", "core.fsmonitor=false", "--no-optional-locks", ...args], { cwd: workspace });
  try {
    const { stdout: hash } = await git("rev-parse", "--short", "HEAD");
    const { stdout: changes } = await git("status", "--porcelain", "--untracked-files=no");
    return `${hash.trim()}${changes === "" ? "" : "-dirty"}`;
  } catch {
    return null;
  }
}

function historyPath(artifactsFolder: string): string {
  return join(artifactsFolder, "history.jsonl");
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
}

function parsedOrUndefined(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
