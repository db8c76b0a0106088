import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BertqaError, openers, silentReporter, type Artifact, type ArtifactKind } from "@bertqa/core";
import { recoverPlace, runStage, type AnyStage } from "@bertqa/runner";
import { afterAll, beforeAll } from "vitest";
import { findStage, stageNames } from "../../../packages/cli/src/stages.ts";
import { tinyOptions, writeTinyPipeline } from "../../support/tiny-pipeline.ts";
import type { Writer } from "./replay.ts";
import { isFull } from "./scale.ts";

// Each fault trains twice. Three checkpoints are saved, and one of them is removed as the oldest.
export const size = { layers: 1, trainArticles: 4, devArticles: 2 };
const training = { ...tinyOptions.train, batchWindows: 1, checkpointEverySteps: 1, precision: "float32" };

/** Options of the undisturbed run of each stage, and others that give an older artifact with other bytes. */
export const stageOptions: Readonly<Record<string, { readonly now: object; readonly before: object }>> = {
  fetch: {
    now: tinyOptions.fetch,
    before: {
      ...tinyOptions.fetch,
      dataset: { ...tinyOptions.fetch.dataset, dev: { sources: ["dev-data.json"], firstQuestions: 5 } },
    },
  },
  tokenize: { now: tinyOptions.tokenize, before: { ...tinyOptions.tokenize, maxTokens: 60 } },
  train: {
    now: { ...training, maxSteps: 4 },
    before: { ...training, maxSteps: 1 },
  },
  predict: { now: { precision: "float32" }, before: { precision: "float32", nBest: 5 } },
  evaluate: { now: { bootstrapSamples: 10 }, before: { bootstrapSamples: 11 } },
  export: { now: {}, before: { title: "Before" } },
};

/** What the suites go through: every stage, or the first two in the short form. */
export const stages = isFull ? stageNames : (["fetch", "tokenize"] as const);

/** A tiny pipeline in a workspace of its own, all stages run once with the options of before and of now. */
export class TinyWorkspace {
  readonly folder = mkdtempSync(join(tmpdir(), "bertqa-faults-"));
  readonly pipeline = join(this.folder, "pipelines", "tiny");
  readonly artifacts = join(this.folder, "artifacts", "tiny");
  readonly #stages = new Map<string, AnyStage>();
  readonly #hashes = new Map<string, { now: string; before: string }>();

  /** For the tests of a file: made before the first, up to the last of {@link stages}, and removed after the last. */
  static forStages(): TinyWorkspace {
    const workspace = new TinyWorkspace();
    beforeAll(() => workspace.#prepare(stages.at(-1) as string), 300_000);
    afterAll(() => workspace.remove());
    return workspace;
  }

  /** @param last the last stage to run */
  static async make(last = "export"): Promise<TinyWorkspace> {
    const made = new TinyWorkspace();
    await made.#prepare(last);
    return made;
  }

  async #prepare(last: string): Promise<void> {
    await mkdir(this.pipeline, { recursive: true });
    await writeFile(join(this.folder, "nx.json"), "{}");
    const now = Object.fromEntries(stageNames.map((name) => [name, stageOptions[name]!.now]));
    await writeTinyPipeline(this.pipeline, now, size);
    for (const name of stageNames.slice(0, stageNames.indexOf(last) + 1)) {
      this.#stages.set(name, (await findStage(name)) as AnyStage);
      const before = await this.run(name, stageOptions[name]!.before);
      await cp(before.folder, this.#kept(name, "before"), { recursive: true });
      const whole = await this.run(name);
      await cp(whole.folder, this.#kept(name, "now"), { recursive: true });
      this.#hashes.set(name, { now: whole.manifest.contentSha256, before: before.manifest.contentSha256 });
    }
    this.#clean();
  }

  run(name: string, given: object = stageOptions[name]!.now): Promise<Artifact> {
    const stage = this.#stages.get(name) as AnyStage;
    return runStage(stage, this.pipeline, { reporter: silentReporter, options: { ...given } });
  }

  kindOf(name: string): ArtifactKind {
    return (this.#stages.get(name) as AnyStage).writes;
  }

  place(name: string): string {
    return join(this.artifacts, name);
  }

  /** A stage, as what replaces its artifact. */
  writer(name: string): Writer {
    return {
      name,
      folder: this.artifacts,
      hashes: this.#hashes.get(name)!,
      reset: () => this.reset(name),
      run: async () => (await this.run(name)).manifest.contentSha256,
      forgetOwner: () => forgetOwner(this.artifacts, name),
      open: (folder) => openWhole(join(folder, name), this.kindOf(name)),
      leftovers: () => this.#leftovers(),
    };
  }

  /** The stage's place as before a run: the artifact of before in it, nothing beside it. */
  async reset(name: string, which: "before" | "now" = "before"): Promise<void> {
    this.#clean();
    rmSync(this.place(name), { recursive: true, force: true });
    await cp(this.#kept(name, which), this.place(name), { recursive: true });
  }

  /** What lies beside the artifacts, but for records. */
  #leftovers(): string[] {
    const expected = new Set<string>([
      "history",
      "history.jsonl",
      ...stageNames.flatMap((name) => [name, `${name}.log`]),
    ]);
    return readdirSync(this.artifacts).filter((name) => !expected.has(name));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #kept(name: string, which: string): string {
    return join(this.folder, "kept", which, name);
  }

  #clean(): void {
    for (const name of readdirSync(this.artifacts)) {
      if (!stageNames.some((stage) => stage === name))
        rmSync(join(this.artifacts, name), { recursive: true, force: true });
    }
  }
}

/** Lets locks that a run of this process left look like those of a process that is gone for minutes. */
export function forgetOwner(artifacts: string, stage: string): void {
  for (const entry of readdirSync(artifacts).filter((each) => each.startsWith(`.${stage}.lock`))) {
    const lock = join(artifacts, entry);
    if (entry === `.${stage}.lock`) {
      writeFileSync(lock, JSON.stringify({ ...(JSON.parse(readFileSync(lock, "utf8")) as object), started: "1" }));
    }
    utimesSync(lock, 0, 0);
  }
}

/** An artifact as the next stage finds it: the hash of its content where it is whole, each file checked, else why it is refused. */
export async function openWhole(place: string, kind: ArtifactKind): Promise<{ sha256: string } | { refused: string }> {
  try {
    await recoverPlace(place);
    const { artifact } = await openers[kind]("test", place);
    for (const { path } of artifact.manifest.files) await artifact.file(path);
    return { sha256: artifact.manifest.contentSha256 };
  } catch (error) {
    if (error instanceof BertqaError) return { refused: error.message };
    throw error;
  }
}
