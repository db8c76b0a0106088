import type { DatasetSplit } from "@bertqa/core";
import { isAbsolute, join } from "node:path";
import { encoderSourceFiles, requiredEncoderFiles, type FetchOptions } from "./options.ts";
import { parseSource, type Source } from "./sources.ts";
import { splitEntries } from "./splits.ts";

/** What a remote file must be. */
export interface Pin {
  readonly bytes: number;
  readonly sha256: string;
}

/** One file at one source. */
export type PlannedFile =
  | {
      readonly kind: "local";
      readonly name: string;
      readonly path: string;
      readonly pin?: Pin;
      readonly optional: boolean;
    }
  | { readonly kind: "http"; readonly name: string; readonly url: string; readonly pin: Pin; readonly toHub: boolean }
  | {
      readonly kind: "pypi";
      readonly name: string;
      readonly wheel: string;
      readonly member: string;
      readonly pin: Pin;
    };

/** All the files of a set at one source. */
export interface PlannedSource {
  /** The address as `fetch.json` gives it. */
  readonly label: string;
  readonly files: readonly PlannedFile[];
  /** Of each of these lists, one file must be there. */
  readonly required: readonly (readonly string[])[];
}

/** Files that belong together, with the sources to try in order. */
export interface FetchSet {
  readonly title: DatasetSplit | "encoder";
  readonly sources: readonly PlannedSource[];
}

export interface PlanContext {
  readonly pipelineFolder: string;
  readonly hubEndpoint: string;
}

/** Says what would be fetched from where, without touching disk or network. */
export function planFetch(options: FetchOptions, context: PlanContext): FetchSet[] {
  return [
    ...splitEntries(options.dataset).map(([split, given]) => planSplit(split, given, context)),
    { title: "encoder", sources: options.encoder.sources.map((label) => planEncoder(label, options.encoder, context)) },
  ];
}

/** Every file on this machine that a plan may read. */
export function localFilesOf(plan: readonly FetchSet[]): string[] {
  const files = plan.flatMap(({ sources }) => sources.flatMap((source) => source.files));
  return files.flatMap((file) => (file.kind === "local" ? [file.path] : []));
}

function planSplit(title: DatasetSplit, split: FetchOptions["dataset"]["train"], context: PlanContext): FetchSet {
  const sources = split.sources.map((given): PlannedSource => {
    const label = typeof given === "string" ? given : given.url;
    const pin = typeof given === "string" ? undefined : { bytes: given.bytes, sha256: given.sha256 };
    const file = planFile(parseSource(label), { name: title, inside: "", pin, optional: false }, context);
    return { label, files: [file], required: [] };
  });
  return { title, sources };
}

function planEncoder(label: string, { files }: FetchOptions["encoder"], context: PlanContext): PlannedSource {
  const source = parseSource(label);
  // An unpinned local folder gives whatever it has of the known names; pins name the files one by one.
  const names = encoderSourceFiles.filter((name) => !files || files[name]);
  return {
    label,
    files: names.map((name) => planFile(source, { name, inside: name, pin: files?.[name], optional: !files }, context)),
    required: requiredEncoderFiles,
  };
}

interface FileWish {
  readonly name: string;
  /** Path below the source's own; "" where the source is the file itself. */
  readonly inside: string;
  readonly pin: Pin | undefined;
  readonly optional: boolean;
}

function planFile(source: Source, { name, inside, pin, optional }: FileWish, context: PlanContext): PlannedFile {
  const address = addressOf(source, inside, context);
  if (address.kind === "local") return { ...address, name, optional, ...(pin ? { pin } : {}) };
  // The schema refuses it; this tells the type checker.
  if (!pin) throw new Error(`${name} has no pin`);
  return { ...address, name, pin };
}

/** Where a file of a source is. */
export type FileAddress =
  | { readonly kind: "local"; readonly path: string }
  | { readonly kind: "http"; readonly url: string; readonly toHub: boolean }
  | { readonly kind: "pypi"; readonly wheel: string; readonly member: string };

/** @param inside path below the source's own; "" where the source is the file itself */
export function addressOf(source: Source, inside: string, context: PlanContext): FileAddress {
  if (source.kind === "bad") throw new Error(source.problem);
  if (source.kind === "local") {
    const base = isAbsolute(source.path) ? source.path : join(context.pipelineFolder, source.path);
    return { kind: "local", path: inside ? join(base, inside) : base };
  }
  if (source.kind === "pypi") {
    return { kind: "pypi", wheel: `${source.name}==${source.version}`, member: joinParts(source.path, inside) };
  }
  if (source.kind === "http") {
    return { kind: "http", url: inside ? joinParts(source.url, inside) : source.url, toHub: false };
  }
  const path = joinParts(source.path, inside).split("/").map(encodeURIComponent).join("/");
  const url = `${context.hubEndpoint}/${source.repository}/resolve/${source.revision}/${path}`;
  return { kind: "http", url, toHub: true };
}

function joinParts(folder: string, name: string): string {
  return [folder.replace(/\/+$/, ""), name].filter(Boolean).join("/");
}
