import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, statfsSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { BertqaError, type Reporter } from "@bertqa/core";
import { $ } from "zx";
import { wheelPython, type LibraryChoice } from "./install-platform.ts";
import { findPython, pythonWithPip } from "./install-python.ts";

/** What of the wheel a binding is built on and runs on; the rest, Python's own part, stays packed. */
const wantedFromTensorflow = [
  "tensorflow/libtensorflow_*",
  "tensorflow/THIRD_PARTY_NOTICES.txt",
  "tensorflow/include/LICENSE",
  "tensorflow/include/tensorflow/c/*",
  "tensorflow/include/tensorflow/core/platform/ctstring*",
  "tensorflow/include/tsl/platform/ctstring*",
  "tensorflow/include/xla/tsl/c/*",
  "*.dist-info/METADATA",
];

/** Python's zipfile, because the file modes matter and Python is there anyway. */
const unpackProgram = `
import fnmatch, os, sys, zipfile
target, wheel, *patterns = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        if not entry.is_dir() and any(fnmatch.fnmatchcase(entry.filename, p) for p in patterns):
            path = archive.extract(entry, target)
            mode = (entry.external_attr >> 16) & 0o777
            if mode: os.chmod(path, mode | 0o600)
`;

export function isLibraryComplete(choice: LibraryChoice, folder: string): boolean {
  const libraries = [choice.opsLibrary, choice.frameworkLibrary];
  return libraries.every((file) => existsSync(join(folder, "tensorflow", file)));
}

/**
 * Brings the TensorFlow library into `folder`, whole or not at all. `tensorflow/` and, for a GPU, `nvidia/` lie side by
 * side in it, because that is where the one looks for the other.
 *
 * @throws BertqaError for no Python or pip, no network, a full disk
 */
export async function fetchLibrary(choice: LibraryChoice, folder: string, report: Reporter): Promise<void> {
  const partial = join(dirname(folder), `.partial-${process.pid}`);
  mkdirSync(partial, { recursive: true });
  try {
    requireDiskSpace(choice, partial);
    const python = await pythonWithPip(await findPython(), partial);
    const unpacked = join(partial, "library");
    await fetchWheels({ python, partial, unpacked, report }, choice, [`${choice.project}==${choice.version}`]);
    if (choice.variant === "gpu") {
      await fetchWheels({ python, partial, unpacked, report }, choice, cudaRequirements(readMetadata(unpacked)));
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(unpacked, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

function requireDiskSpace(choice: LibraryChoice, folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  const freeGb = (bavail * bsize) / 1e9;
  if (freeGb >= choice.diskGb) return;
  throw diskFull(`it needs ${choice.diskGb} GB and ${freeGb.toFixed(1)} GB are free`, folder);
}

function diskFull(detail: string, folder: string, cause?: unknown): BertqaError {
  return new BertqaError("engine", `no room on disk for TensorFlow: ${detail}`, {
    remedy: "Free some space, or set BERTQA_CACHE to a folder on another disk",
    where: folder,
    cause,
  });
}

interface Fetching {
  readonly python: string;
  readonly partial: string;
  readonly unpacked: string;
  readonly report: Reporter;
}

async function fetchWheels(fetching: Fetching, choice: LibraryChoice, requirements: readonly string[]): Promise<void> {
  const { python, partial, report } = fetching;
  const wheels = join(partial, "wheels");
  const temporary = join(partial, "tmp");
  mkdirSync(temporary, { recursive: true });
  const startedMs = Date.now();
  const what = requirements.length === 1 ? requirements[0] : `${requirements.length} CUDA libraries`;
  report.line(`downloading ${what} with pip`);
  const onTerminal = process.stderr.isTTY;
  const run = await $({
    nothrow: true,
    quiet: true,
    // pip draws its bar on stdout; ours belongs to programs.
    stdio: ["ignore", onTerminal ? 2 : "pipe", "pipe"],
    env: { ...process.env, TMPDIR: temporary, PIP_REQUIRE_VIRTUALENV: "0" },
  })`${python} ${pipArguments(choice, requirements, wheels, onTerminal)}`;
  if (run.exitCode !== 0) throw explainPipFailure(run.stderr, requirements, partial);
  const names = readdirSync(wheels);
  const bytes = names.reduce((sum, name) => sum + statSync(join(wheels, name)).size, 0);
  report.line(`downloaded ${(bytes / 1e6).toFixed(0)} MB · ${seconds(startedMs)}`);
  await unpackWheels(fetching, wheels, names);
  rmSync(wheels, { recursive: true });
  report.line(`unpacked · ${seconds(startedMs)} in all`);
}

async function unpackWheels({ python, unpacked }: Fetching, wheels: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const patterns = name.startsWith("tensorflow") ? wantedFromTensorflow : ["*"];
    const run = await $({
      nothrow: true,
      quiet: true,
    })`${python} -c ${unpackProgram} ${unpacked} ${join(wheels, name)} ${patterns}`;
    if (run.exitCode !== 0) throw explainPipFailure(run.stderr, [name], unpacked);
  }
}

/** `pip download` of exactly these wheels, for a fixed Python tag: see `wheelPython`. */
export function pipArguments(
  choice: LibraryChoice,
  requirements: readonly string[],
  destination: string,
  showBar: boolean,
): string[] {
  // NVIDIA tags its wheels for several generations of Linux.
  const older = choice.variant === "gpu" ? ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64"] : [];
  const platforms = [choice.wheelPlatform, ...older].flatMap((platform) => ["--platform", platform]);
  return [
    ...["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check"],
    ...(showBar ? [] : ["--quiet"]),
    ...["--python-version", wheelPython.version, "--implementation", "cp", "--abi", wheelPython.abi],
    ...platforms,
    ...["--dest", destination],
    ...requirements,
  ];
}

/** The CUDA libraries that a TensorFlow wheel asks for under its `and-cuda` extra, as pip requirements. */
export function cudaRequirements(metadata: string): string[] {
  const lines = metadata.split("\n").filter((line) => line.startsWith("Requires-Dist:") && line.includes("and-cuda"));
  return lines.map((line) => line.slice("Requires-Dist:".length).replace(/;.*/, "").trim());
}

function readMetadata(unpacked: string): string {
  const folders = readdirSync(unpacked).filter((name) => name.endsWith(".dist-info"));
  return folders.map((folder) => readFileSync(join(unpacked, folder, "METADATA"), "utf8")).join("\n");
}

/** Turns what pip printed into one sentence and a remedy. */
export function explainPipFailure(output: string, requirements: readonly string[], folder: string): BertqaError {
  const what = requirements.join(", ");
  const cause = new Error(output);
  if (/No space left on device|Errno 28|Disk quota exceeded/.test(output)) {
    return diskFull(`it ran out while ${what} was being fetched`, folder, cause);
  }
  if (
    /NewConnectionError|establish a new connection|name resolution|ConnectTimeout|ReadTimeout|ProxyError|SSLError|CERTIFICATE/i.test(
      output,
    )
  ) {
    return new BertqaError("engine", `pip cannot reach its package index to fetch ${what}`, {
      remedy: "Check the network, the proxy (HTTPS_PROXY) and pip's index (`pip config list`)",
      cause,
    });
  }
  if (/No matching distribution|Could not find a version/.test(output)) {
    return new BertqaError("engine", `pip's package index offers no ${what} for this platform`, {
      remedy:
        "Check the network, and that pip's index is PyPI or a full mirror of it (`pip config list`; PIP_INDEX_URL sets it)",
      cause,
    });
  }
  const lastError =
    output.split("\n").findLast((line) => line.startsWith("ERROR:")) ?? output.trim().split("\n").at(-1);
  return new BertqaError("engine", `pip did not fetch ${what}: ${lastError ?? "it said nothing"}`, {
    remedy: "Run `npx bertqa doctor`",
    cause,
  });
}

function seconds(sinceMs: number): string {
  return `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;
}
