import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join, relative } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { BertqaError, defineStage, silentReporter, sizesOfFiles, type ArtifactKind } from "@bertqa/core";
import { runStage, type AnyStage } from "@bertqa/runner";
import { loadQuestionAnswering } from "../../packages/bertqa/src/node.ts";
import { writeTinyExport } from "../../packages/bertqa/test/tiny-export.ts";
import { ArchiveError, checkArchive } from "../../packages/remote-cache/src/client/archive.ts";
import { archiveOf, artifactItems } from "../../packages/remote-cache/test/support/archives.ts";
import { startServer } from "../../packages/remote-cache/test/support/servers.ts";
import { openWork } from "../../packages/runner/src/work.ts";
import { openCheckpoints } from "../../packages/train/src/checkpoints.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { flipEach } from "./support/flips.ts";
import { Tally } from "./support/tally.ts";
import { stages, TinyWorkspace } from "./support/workspace.ts";

/**
 * One bit is flipped in each file that bertqa keeps or is given: in the first byte, the one in the middle, the last and a drawn one,
 * in turn. What reads the file refuses it by name, or the damage is healed; it is never taken.
 */
const workspace = TinyWorkspace.forStages();

const whole = "all of it was accepted";

/** A stage that reads another's artifact whole, and starts as every stage does. */
function readerOf(kind: ArtifactKind, from: string): AnyStage {
  return defineStage({
    name: "probe",
    summary: "Reads all files",
    options: z.strictObject({}),
    reads: { input: { kind, from } },
    writes: "dataset",
    run: async ({ inputs }) => {
      const { artifact } = inputs.input;
      for (const { path } of artifact.manifest.files) await artifact.file(path);
      throw new BertqaError("probe", whole);
    },
  }) as AnyStage;
}

async function refusalOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
  } catch (error) {
    if (error instanceof BertqaError) return error.message;
    throw error;
  }
  return "accepted";
}

describe.each([...stages])("a flipped bit in the artifact of %s", (name) => {
  test(
    "is refused by the file's name, and where Nx restored it, its entry is dropped",
    { timeout: 300_000 },
    async () => {
      await workspace.reset(name, "now");
      const place = workspace.place(name);
      const entry = join(workspace.folder, ".nx", "cache", "1234567890");
      const cached = join(entry, relative(workspace.folder, place));
      const probe = readerOf(workspace.kindOf(name), name);
      const start = () => runStage(probe, workspace.pipeline, { reporter: silentReporter, options: {} });
      expect(await refusalOf(start)).toContain(whole);
      const tally = new Tally();
      for (const file of (await sizesOfFiles(place)).keys()) {
        await flipEach(place, file, tally, async (what) => {
          await cp(place, cached, { recursive: true });
          const message = await refusalOf(start);
          const isNamed =
            file === "manifest.json" ? message.includes("manifest") : message.includes(`${file} has sha256`);
          if (!isNamed) tally.find("other", `${what} of ${name} is refused by: ${message}`);
          return message.includes(whole) || existsSync(entry);
        });
      }
      tally.close(`flips in the artifact of ${name}`);
    },
  );
});

test("a flipped bit in a checkpoint is refused by name; without it, the one before is taken", async () => {
  const folder = await temporaryFolder();
  const place = { stage: "train", folder: join(folder, "train.progress"), reporter: silentReporter, command: "" };
  await openWork(place, { decides: { seed: 1 }, code: [] });
  const checkpoints = openCheckpoints(place.folder);
  const stateOf = (step: number) => new Map([["weights", { shape: [3], data: Float32Array.of(step, 0.5, -step) }]]);
  for (const step of [2, 4]) await checkpoints.save({ losses: Array<number>(step).fill(1), state: stateOf(step) });
  const newest = (await checkpoints.newest())!;
  const tally = new Tally();
  for (const file of (await sizesOfFiles(newest)).keys()) {
    const look = async () => !(await refusalOf(() => checkpoints.load())).includes(`the checkpoint ${newest}`);
    await flipEach(newest, file, tally, look);
  }
  tally.close("flips in a checkpoint");
  expect((await checkpoints.load())?.state).toEqual(stateOf(4));
  rmSync(newest, { recursive: true });
  expect((await checkpoints.load())?.state).toEqual(stateOf(2));
});

test("a flipped bit in the record of whose checkpoints they are: they are moved aside and named", async () => {
  const folder = await temporaryFolder();
  const lines: string[] = [];
  const reporter = { ...silentReporter, line: (text: string) => void lines.push(text) };
  const place = { stage: "train", folder: join(folder, "train.progress"), reporter, command: "" };
  const work = { decides: { seed: 1, rate: 0.5 }, code: [] };
  const start = async () => {
    await openWork(place, work);
    mkdirSync(join(place.folder, "step-00000002"), { recursive: true });
  };
  await start();
  const record = join(place.folder, "run.json");
  const written = readFileSync(record, "utf8");
  const meaningOf = (text: string) => {
    try {
      return JSON.stringify(JSON.parse(text));
    } catch {
      return undefined;
    }
  };
  const tally = new Tally();
  await flipEach(place.folder, "run.json", tally, async () => {
    lines.length = 0;
    const isSameMeaning = meaningOf(readFileSync(record, "utf8")) === meaningOf(written);
    await start();
    return lines.join("\n").includes("the work in progress is not this run's") === isSameMeaning;
  });
  tally.close("flips in the record of a run");
  expect(readdirSync(folder).some((name) => name.startsWith("train.progress.aside-"))).toBe(true);
});

function unpacked(archive: Buffer): Buffer | undefined {
  try {
    return gunzipSync(archive);
  } catch {
    return undefined;
  }
}

test("a flipped bit in an entry of the shared cache: the server drops it, a client refuses it", async () => {
  const server = await startServer();
  const body = await archiveOf(artifactItems({ "model/config.json": "{}", "log.jsonl": "1\n" }));
  const [hash, folder] = ["1734202108296526469", await temporaryFolder()];
  const entry = join(server.folder, "entries", "shared", hash);
  const put = () => server.call("PUT", hash, "main", { body: new Uint8Array(body) });
  expect((await put()).status).toBe(200);
  const stored = readdirSync(entry)[0]!;
  writeFileSync(join(folder, stored), body);
  await checkArchive(join(folder, stored));
  const tally = new Tally();
  await flipEach(folder, stored, tally, async (what) => {
    const isRefused = await checkArchive(join(folder, stored)).then(
      () => false,
      (error: unknown) => error instanceof ArchiveError,
    );
    // Gzip has bits that say nothing of what is in it: the time, and spare codes.
    const isSame = unpacked(readFileSync(join(folder, stored)))?.equals(gunzipSync(body)) ?? false;
    await cp(join(folder, stored), join(entry, stored));
    const isDropped = (await server.call("GET", hash, "reader")).status === 404;
    expect((await put()).status, `after ${what}`).toBe(200);
    const healed = await server.call("GET", hash, "reader");
    expect(Buffer.from(await healed.arrayBuffer()), `after ${what}`).toEqual(body);
    return (!isRefused && !isSame) || !isDropped;
  });
  tally.close("flips in an entry of the shared cache");
});

test("a flipped bit in an exported folder: no model is loaded from it", { timeout: 120_000 }, async () => {
  const folder = await writeTinyExport(await temporaryFolder());
  const load = async (precision: "int8" | "float32") => (await loadQuestionAnswering(folder, { precision })).dispose();
  const tally = new Tally();
  for (const file of (await sizesOfFiles(folder)).keys()) {
    await flipEach(folder, file, tally, async () => {
      const messages = [await refusalOf(() => load("int8")), await refusalOf(() => load("float32"))];
      // A model's file, and its hash in the manifest, are of one precision alone: the other is whole.
      const isOfOne = file.endsWith(".onnx") || file === "manifest.json";
      const accepted = messages.filter((message) => message === "accepted").length;
      return accepted > (isOfOne ? 1 : 0);
    });
  }
  tally.close("flips in an exported folder");
  for (const precision of ["int8", "float32"] as const) await load(precision);
});
