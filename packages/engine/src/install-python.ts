import { join } from "node:path";
import { BertqaError } from "@bertqa/core";
import { $ } from "zx";
import { compareVersions } from "./install-platform.ts";
import type { Environment } from "./locate.ts";

const oldestPython = "3.9";

/** What one Python interpreter said of itself. */
export interface PythonProbe {
  readonly command: string;
  /** Undefined where the command does not run. */
  readonly version: string | undefined;
  readonly pip: string | undefined;
  /** Whether it can make a virtual environment with a pip of its own. */
  readonly canBundlePip: boolean;
}

/** Commands to try, in order. `BERTQA_PYTHON` is an order, not a hint: nothing else is tried beside it. */
export function pythonCandidates(environment: Environment = process.env): string[] {
  const wanted = environment["BERTQA_PYTHON"];
  if (wanted) return [wanted];
  return ["python3", "python", ...[14, 13, 12, 11, 10, 9].map((minor) => `python3.${minor}`)];
}

/**
 * The first interpreter that is new enough and has pip; or else the first that can bring pip along by itself.
 *
 * @throws BertqaError that says which of the two is missing, and how to get it
 */
export function choosePython(probes: readonly PythonProbe[], platform: string = process.platform): PythonProbe {
  const found = probes.filter((probe) => probe.version !== undefined);
  const recent = probes.filter(isRecent);
  const chosen = recent.find((probe) => probe.pip) ?? recent.find((probe) => probe.canBundlePip);
  if (chosen) return chosen;
  if (recent[0]) {
    throw new BertqaError("engine", `${recent[0].command} ${recent[0].version} has no pip, which fetches TensorFlow`, {
      remedy: pipRemedy(platform, recent[0].command),
    });
  }
  const got = found.map((probe) => `${probe.command} ${probe.version}`).join(", ");
  const tried = probes.map((probe) => probe.command).join(", ");
  throw new BertqaError(
    "engine",
    `no Python ${oldestPython} or later, whose pip fetches TensorFlow: ${got ? `found ${got}` : `tried ${tried}`}`,
    { remedy: pythonRemedy(platform) },
  );
}

function isRecent({ version }: PythonProbe): boolean {
  return version !== undefined && compareVersions(version, oldestPython) >= 0;
}

function pipRemedy(platform: string, command: string): string {
  if (platform === "darwin") return `Run \`${command} -m ensurepip\`, or set BERTQA_PYTHON to a Python with pip`;
  return "Install it (Debian, Ubuntu: `sudo apt install python3-pip`; Fedora: `sudo dnf install python3-pip`), or set BERTQA_PYTHON to a Python with pip";
}

function pythonRemedy(platform: string): string {
  if (platform === "darwin") return "Install it (`brew install python`), or set BERTQA_PYTHON to one";
  return "Install it (Debian, Ubuntu: `sudo apt install python3 python3-pip`; Fedora: `sudo dnf install python3-pip`), or set BERTQA_PYTHON to one";
}

const probeProgram = `
import importlib.util as u, json, platform
pip = None
if u.find_spec("pip"):
    import pip as p
    pip = p.__version__
print(json.dumps({"version": platform.python_version(), "pip": pip, "bundles": bool(u.find_spec("ensurepip") and u.find_spec("venv"))}))
`;

export async function probePython(command: string): Promise<PythonProbe> {
  const run = await $({ nothrow: true, quiet: true })`${command} -c ${probeProgram}`;
  if (run.exitCode !== 0) return { command, version: undefined, pip: undefined, canBundlePip: false };
  const said = JSON.parse(run.stdout) as { version: string; pip: string | null; bundles: boolean };
  return { command, version: said.version, pip: said.pip ?? undefined, canBundlePip: said.bundles };
}

/** Probes the candidates one by one and stops at the first that will do. */
export async function findPython(environment: Environment = process.env): Promise<PythonProbe> {
  const probes: PythonProbe[] = [];
  for (const command of pythonCandidates(environment)) {
    const probe = await probePython(command);
    probes.push(probe);
    if (probe.pip && isRecent(probe)) break;
  }
  return choosePython(probes);
}

/** The command whose `-m pip` works: the interpreter itself, or one in a virtual environment made inside `folder`. */
export async function pythonWithPip(probe: PythonProbe, folder: string): Promise<string> {
  if (probe.pip) return probe.command;
  const environmentFolder = join(folder, "python");
  const run = await $({ nothrow: true, quiet: true })`${probe.command} -m venv ${environmentFolder}`;
  if (run.exitCode === 0) return join(environmentFolder, "bin", "python");
  throw new BertqaError("engine", `${probe.command} has no pip and cannot make a virtual environment with one`, {
    remedy: pipRemedy(process.platform, probe.command),
    cause: new Error(run.stderr),
  });
}
