import {
  BertqaError,
  flushFolder,
  makeFlushedFolder,
  sha256Of,
  type Reporter,
  type WorkFolder,
  type WorkIdentity,
} from "@bertqa/core";
import { existsSync } from "node:fs";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const recordName = "run.json";
const partialName = `${recordName}.partial`;
const formatVersion = 1;
const recordSchema = z.strictObject({
  formatVersion: z.literal(formatVersion),
  /** Flattened: `options.learningRate` → its value as JSON. */
  identity: z.record(z.string(), z.string()),
  resumedFrom: z.string().optional(),
});
type WorkRecord = z.output<typeof recordSchema>;

/** What {@link openWork} needs to know. */
export interface WorkPlace {
  readonly stage: string;
  /** `<artifacts>/<stage>.progress` */
  readonly folder: string;
  readonly reporter: Reporter;
  /** A folder of another run's work to take up on purpose, as an earlier message named it. */
  readonly resume?: string | undefined;
  /** The command that a message may give to people. */
  readonly command: string;
}

/**
 * Opens the folder of a run's work in progress. Work of a run with another identity (options, inputs, code) is never taken up by
 * itself and never deleted: it is moved aside, and what differs is said, with the command that resumes from it all the same.
 */
export async function openWork(place: WorkPlace, work: WorkIdentity): Promise<WorkFolder> {
  const { folder, reporter } = place;
  const identity = await identityOf(work);
  if (place.resume !== undefined) await takeUp(place, resolve(place.resume), identity);
  const found = await readRecord(folder);
  if (found && isSame(found.identity, identity)) {
    return { folder, ...(found.resumedFrom === undefined ? {} : { resumedFrom: found.resumedFrom }) };
  }
  if (await holdsWork(folder)) {
    const aside = await moveAside(folder, found);
    const differs = found ? describeDifference(found.identity, identity) : "it is of an unknown run";
    reporter.line(`the work in progress is not this run's (${differs}); it was moved to ${aside}`);
    reporter.line(`to resume from it all the same: ${place.command} --resume ${aside}`);
  }
  await makeFlushedFolder(folder);
  await writeRecord(folder, { formatVersion, identity });
  return { folder };
}

/** A run that ended while it wrote its first record had done nothing yet. */
async function holdsWork(folder: string): Promise<boolean> {
  return existsSync(folder) && (await readdir(folder)).some((name) => name !== partialName);
}

/** Puts another run's folder in this run's place, under this run's identity. One that a killed run has put there stays. */
async function takeUp(place: WorkPlace, from: string, identity: WorkRecord["identity"]): Promise<void> {
  const { folder, stage, reporter } = place;
  const [found, current] = [await readRecord(from), await readRecord(folder)];
  if (!found) {
    if (!existsSync(from) && current?.resumedFrom !== undefined && isSame(current.identity, identity)) return;
    const remedy = "Name a folder that an earlier run moved aside";
    throw new BertqaError(stage, `${from} holds no work in progress of this bertqa`, { remedy });
  }
  if (!isSame(found.identity, identity)) {
    const resumedFrom = describeDifference(found.identity, identity);
    await writeRecord(from, { formatVersion, identity, resumedFrom });
    reporter.line(`${stage} resumes from another run's work, as asked (${resumedFrom})`);
  }
  if (from === resolve(folder)) return;
  if (existsSync(folder)) await moveAside(folder, current);
  await rename(from, folder);
  await flushFolder(dirname(folder));
}

/** Work whose record is cut short could never be taken up again: the old record stays until the new one is on disk. */
async function writeRecord(folder: string, record: WorkRecord): Promise<void> {
  const path = join(folder, recordName);
  const partial = join(folder, partialName);
  await writeFile(partial, `${JSON.stringify(record, null, 2)}\n`, { flush: true });
  await rename(partial, path);
  await flushFolder(folder);
}

async function readRecord(folder: string): Promise<WorkRecord | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(join(folder, recordName), "utf8")));
  } catch {
    return undefined;
  }
}

function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return differencesOf(a, b).length === 0;
}

async function moveAside(folder: string, found: WorkRecord | undefined): Promise<string> {
  const name = sha256Of(JSON.stringify(found?.identity ?? "unknown")).slice(0, 8);
  for (let number = 1; ; number++) {
    const aside = `${folder}.aside-${name}${number === 1 ? "" : `-${number}`}`;
    if (existsSync(aside)) continue;
    await rename(folder, aside);
    return aside;
  }
}

function differencesOf(before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
  return keys.filter((key) => before[key] !== now[key]);
}

/** `options.learningRate 0.0001 → 0.0002, code of model` */
function describeDifference(before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): string {
  const short = (value: string | undefined) =>
    value === undefined ? "none" : value.length > 20 ? `${value.slice(0, 12)}…` : value;
  const keys = differencesOf(before, now);
  const shown = keys
    .slice(0, 6)
    .map((key) => (key.startsWith("code of ") ? key : `${key} ${short(before[key])} → ${short(now[key])}`));
  return [...shown, ...(keys.length > 6 ? [`and ${keys.length - 6} more`] : [])].join(", ");
}

async function identityOf({ decides, code }: WorkIdentity): Promise<Record<string, string>> {
  const identity = flatten("", decides);
  for (const url of code) {
    const folder = dirname(fileURLToPath(url));
    identity[`code of ${packageName(folder)}`] = await hashOfCode(folder);
  }
  return identity;
}

function flatten(prefix: string, value: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(value).flatMap(([key, each]) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.entries(flatten(`${prefix}${key}.`, each as Record<string, unknown>))
      : [[prefix + key, each === undefined ? "undefined" : JSON.stringify(each)] as [string, string]],
  );
  return Object.fromEntries(entries);
}

/** `…/packages/model/src` → `model` */
function packageName(folder: string): string {
  return folder.split(/[/\\]/).at(-2) ?? folder;
}

/** Of TypeScript what runs, without comments and types, which decide nothing; and of a package's native code every byte. */
async function hashOfCode(folder: string): Promise<string> {
  const { transform } = await import("esbuild");
  const sources = (await readTexts(folder)).filter(([name]) => name.endsWith(".ts"));
  const native = join(folder, "..", "native");
  const compiled = sources.map(async ([name, text]) => [name, (await transform(text, { loader: "ts" })).code]);
  return sha256Of(JSON.stringify([await Promise.all(compiled), existsSync(native) ? await readTexts(native) : []]));
}

/** Names and texts of a folder's files, by name. */
async function readTexts(folder: string): Promise<[string, string][]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    paths.sort().map(async (path): Promise<[string, string]> => [relative(folder, path), await readFile(path, "utf8")]),
  );
}
