import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The boundaries between packages: what each may import, lowest layer first. `boundaries.test.ts` holds sources, bins and declared
 * dependencies against this table, and the inputs that `nx.json` gives each stage; ARCHITECTURE.md explains it.
 */
const pure = ["squad", "answers"];
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  squad: [],
  answers: ["squad"],
  ui: [],

  core: ["squad"],
  runner: ["core", "squad"],
  http: ["squad"],

  engine: ["core", "runner", "squad"],
  model: ["core", "engine", "squad"],

  formats: ["squad"],
  report: [...pure, "ui", "core"],

  fetch: [...pure, "core", "runner", "formats"],
  tokenize: [...pure, "core"],
  train: [...pure, "core", "engine", "model"],
  predict: [...pure, "core", "engine", "model"],
  evaluate: [...pure, "core", "report"],
  export: [...pure, "core"],

  "remote-cache": ["core", "http", "runner"],

  cli: [
    ...[...pure, "remote-cache", "core", "runner", "engine", "formats", "report"],
    ...["fetch", "tokenize", "train", "predict", "evaluate", "export"],
  ],
  page: ["ui"],
  // The training commands are the workspace's: the published package goes without them.
  bertqa: [...pure, "http", "page", "runner", "cli"],
};

/**
 * What decides no byte of any artifact: terminal, locks, installation (the TensorFlow that it brings has its version in each
 * manifest), downloads (pinned by sha256). It is in no stage's inputs.
 */
export const decidesNoBytes: readonly string[] = [
  "runner",
  ...["commander", "node-api-headers", "p-retry", "undici", "zx"],
];

export const packagesFolder = join(import.meta.dirname, "..", "packages");

/** Names of the folders under `packages/`. */
export function packageFolders(): string[] {
  return readdirSync(packagesFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(packagesFolder, entry.name, "package.json")))
    .map((entry) => entry.name);
}

/** The dependencies that a package declares. */
export function dependenciesOf(folder: string): string[] {
  const manifest = JSON.parse(readFileSync(join(packagesFolder, folder, "package.json"), "utf8"));
  // The published package bundles what is ours.
  const bundled = folder === "bertqa" ? manifest.devDependencies : {};
  return Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies, ...bundled });
}

/** A package's dependencies in this workspace, theirs included. */
export function workspaceDependenciesOf(folder: string): Set<string> {
  const own = dependenciesOf(folder)
    .filter((name) => name.startsWith("@bertqa/"))
    .map((name) => name.slice("@bertqa/".length));
  return new Set(own.flatMap((name) => [name, ...workspaceDependenciesOf(name)]));
}
