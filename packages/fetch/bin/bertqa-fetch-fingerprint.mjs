#!/usr/bin/env node
// Prints one line for each local file that `fetch.json` names: its path and sha256. Nx takes the output as an input of the
// fetch stage, because Nx itself does not hash files that git ignores, such as data/own/train.json. Runs before every
// command, so: no dependencies, no TypeScript.
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";

/** The names that fetch takes from an encoder's folder; `encoderSourceFiles` in options.ts, which a test holds equal. */
const encoderFiles = [
  "added_tokens.json",
  "config.json",
  "model.safetensors",
  "pytorch_model.bin",
  "special_tokens_map.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "vocab.txt",
];

const pipelineFolder = process.argv[2] ?? ".";
const optionsPath = join(pipelineFolder, "fetch.json");

if (!existsSync(optionsPath)) {
  print("fetch.json missing");
} else {
  for (const path of localFiles() ?? []) print(`${path} ${await describe(resolve(pipelineFolder, path))}`);
}

/** Local files that the options name; prints the text's hash where it is malformed, which the stage reports. */
function localFiles() {
  let text;
  try {
    text = readFileSync(optionsPath);
    // As the stage decodes it: without a byte order mark, which Windows' editors write. What one of them refused and the other
    // read would be an input that nobody watches.
    const { dataset, encoder } = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
    const files = [dataset.train, dataset.dev, dataset.sanity, dataset.extra];
    const splits = files.flatMap((file) => file?.sources ?? []).filter(isLocal);
    const folders = encoder.sources.filter(isLocal);
    return [...splits, ...folders.flatMap((folder) => encoderFiles.map((name) => `${folder}/${name}`))].sort();
  } catch ({ code }) {
    print(`fetch.json ${text ? `malformed ${createHash("sha256").update(text).digest("hex")}` : unreadable(code)}`);
    return undefined;
  }
}

/** The stage says it in its own words; a stack here would end the whole run of Nx. */
function unreadable(code) {
  return `cannot be read: ${code}`;
}

function print(line) {
  process.stdout.write(`${line}\n`);
}

function isLocal(source) {
  return typeof source === "string" && !/^[a-z][\w+.-]+:/i.test(source);
}

async function describe(path) {
  if (!existsSync(path)) return "missing";
  if (!statSync(path).isFile()) return "not a file";
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  } catch ({ code }) {
    return unreadable(code);
  }
  return hash.digest("hex");
}
