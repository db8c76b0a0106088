import { z } from "zod";
import { thresholdKinds, type Evaluation, type HistoryEntry, type HistoryScore } from "../results.ts";

const entrySchema = z.object({
  date: z.string(),
  evaluation: z.string(),
  commit: z.string().nullable(),
  options: z.record(z.string(), z.unknown()),
  inputs: z.record(z.string(), z.string()),
  scores: z.array(
    z.object({
      kind: z.enum(thresholdKinds),
      nullOddsThreshold: z.number(),
      exact: z.number(),
      f1: z.number(),
      total: z.number(),
    }),
  ),
  elapsedMs: z.number(),
});

/** Reads `history.jsonl`. Lines that are cut short or otherwise broken are counted, not fatal: the rest still tells. */
export function parseHistory(text: string): { entries: HistoryEntry[]; brokenLines: number } {
  const entries: HistoryEntry[] = [];
  let brokenLines = 0;
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const parsed = entrySchema.safeParse(parsedOrUndefined(line));
    if (parsed.success) entries.push(parsed.data);
    else brokenLines++;
  }
  return { entries, brokenLines };
}

/** The text to append for an entry; a last line without its end, from a process that was killed, gets one first. */
export function historyLine(entry: HistoryEntry, textBefore: string): string {
  const isCutShort = textBefore !== "" && !textBefore.endsWith("\n");
  return `${isCutShort ? "\n" : ""}${JSON.stringify(entry)}\n`;
}

/** An evaluation's scores as history keeps them. */
export function historyScores(evaluation: Evaluation): HistoryScore[] {
  return evaluation.scores.map(({ kind, nullOddsThreshold, all }) => ({
    kind,
    nullOddsThreshold,
    exact: all.exact.value,
    f1: all.f1.value,
    total: all.total,
  }));
}

function parsedOrUndefined(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
