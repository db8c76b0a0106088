import {
  parseJson,
  questionsOf,
  squadFileSchema,
  type Question,
  type SquadFile,
  type WindowsArtifact,
  type WindowSplit,
} from "@bertqa/core";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach } from "vitest";
import { writeArtifact } from "@bertqa/runner";

const testFolder = fileURLToPath(new URL(".", import.meta.url));
const repository = join(testFolder, "../../..");

/** A small BERT tokenizer of our own; see `fixtures/make_fixtures.py`. */
export const fixtureEncoder = join(testFolder, "fixtures/encoder");
/** A real encoder's folder, where one is at hand. */
export const realEncoder = [
  process.env["BERTQA_TEST_ENCODER"],
  join(repository, "artifacts/pipeline/fetch/encoder"),
].find((folder) => folder && existsSync(join(folder, "tokenizer.json")));
/** Reference files that are no part of the repository. */
export const sharedFolder = process.env["BERTQA_SHARED"] ?? join(repository, "../shared");
export const sampleCorpus = (split: "train" | "dev") => join(repository, `pipelines/sample/corpus/${split}.json`);

export function fixture(name: string): unknown {
  return JSON.parse(readFileSync(join(testFolder, "fixtures", name), "utf8"));
}

export function squadFile(path: string): SquadFile {
  return parseJson("test", readFileSync(path, "utf8"), path, squadFileSchema);
}

export function readQuestions(path: string): Question[] {
  return questionsOf(squadFile(path));
}

export const hardCases = (): SquadFile => squadFile(join(testFolder, "fixtures/hard-cases.json"));

const folders: string[] = [];
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "bertqa-tokenize-"));
  folders.push(folder);
  return folder;
}

/** A pipeline's folders with a dataset artifact in place, as fetch leaves it. */
export async function pipelineWith(
  data: { train: SquadFile; dev: SquadFile; sanity?: SquadFile; extra?: SquadFile },
  encoder = fixtureEncoder,
): Promise<{ pipelineFolder: string; artifactsFolder: string }> {
  const folder = await temporaryFolder();
  const artifactsFolder = join(folder, "artifacts", basename(folder));
  await writeArtifact("fetch", join(artifactsFolder, "fetch"), async (draft) => {
    for (const [split, file] of Object.entries(data)) {
      await writeFile(await draft.path(`${split}.json`), JSON.stringify(file));
    }
    const target = dirname(await draft.path("encoder/config.json"));
    const isWeights = (name: string) => name.endsWith(".safetensors");
    await cp(encoder, target, { recursive: true, filter: (source) => !isWeights(source) });
    return { kind: "dataset", options: {}, counts: {}, versions: {}, inputs: {} };
  });
  return { pipelineFolder: folder, artifactsFolder };
}

/** A window as tests compare it. */
export interface PlainWindow {
  readonly id: string;
  readonly windowIndex: number;
  readonly inputIds: number[];
  readonly contextFirstToken: number;
  readonly starts: number[];
  readonly ends: number[];
  readonly maxContext: number[];
  readonly startPosition: number;
  readonly endPosition: number;
  readonly plausiblePositions: readonly [start: number, end: number];
}

/** All windows of a split, read back from its shards. */
export async function readWindows(windows: WindowsArtifact, split: WindowSplit): Promise<PlainWindow[]> {
  const all: PlainWindow[] = [];
  for (let index = 0; index < windows.shardCount(split); index++) {
    const shard = await windows.readShard(split, index);
    const rowOf = (column: { offsets: Int32Array; values: Int32Array | Uint8Array }, row: number) => [
      ...column.values.subarray(column.offsets[row], column.offsets[row + 1]),
    ];
    for (let row = 0; row < shard.rowCount; row++) {
      all.push({
        id: shard.questionId[row] as string,
        windowIndex: shard.windowIndex[row] as number,
        inputIds: rowOf(shard.inputIds, row),
        contextFirstToken: shard.contextFirstToken[row] as number,
        starts: rowOf(shard.contextStartCodePoints, row),
        ends: rowOf(shard.contextEndCodePoints, row),
        maxContext: rowOf(shard.maxContext, row),
        startPosition: shard.startPosition[row] as number,
        endPosition: shard.endPosition[row] as number,
        plausiblePositions: [shard.plausibleStartPosition[row] as number, shard.plausibleEndPosition[row] as number],
      });
    }
  }
  return all;
}
