import { resolve } from "node:path";
import { runProgram } from "./program.ts";

/** Why a wheel cannot be had. Its message is the part after `<stage>: ` of the line that a user sees. */
export class WheelError extends Error {
  readonly remedy: string;
  /** Another index or source would fail in the same way. */
  readonly isDiskFull: boolean;

  constructor(
    problem: string,
    details: { readonly remedy: string; readonly output?: string; readonly isDiskFull?: boolean },
  ) {
    super(problem, details.output === undefined ? undefined : { cause: new Error(details.output) });
    this.name = "WheelError";
    this.remedy = details.remedy;
    this.isDiskFull = details.isDiskFull ?? false;
  }
}

const oldestPython = "3.9";

/** What one Python interpreter reports about itself. */
export interface PythonProbe {
  readonly command: string;
  /** Undefined where the command does not run. */
  readonly version: string | undefined;
  readonly pip: string | undefined;
  /** Whether it can make a virtual environment with a pip of its own. */
  readonly canBundlePip: boolean;
}

/** Compares dotted numbers part by part: negative where `a` is the older. */
export const compareVersions: (a: string, b: string) => number = new Intl.Collator("en", { numeric: true }).compare;

/** Commands to try, in order. If `BERTQA_PYTHON` is set, only it is tried. */
export function pythonCandidates(environment: NodeJS.ProcessEnv): string[] {
  const wanted = environment["BERTQA_PYTHON"];
  if (wanted) return [wanted.includes("/") ? resolve(wanted) : wanted];
  return ["python3", "python", ...[14, 13, 12, 11, 10, 9].map((minor) => `python3.${minor}`)];
}

/**
 * The first interpreter that is new enough and has pip; otherwise the first that can bring pip along by itself.
 *
 * @throws WheelError that says which of the two is missing, and how to get it
 */
export async function findPython(environment: NodeJS.ProcessEnv = process.env): Promise<PythonProbe> {
  const probes: PythonProbe[] = [];
  for (const command of pythonCandidates(environment)) {
    const probe = await probePython(command, environment);
    probes.push(probe);
    if (probe.pip && isRecent(probe)) break;
  }
  return choosePython(probes);
}

/** See {@link findPython}. */
export function choosePython(probes: readonly PythonProbe[], platform: string = process.platform): PythonProbe {
  const recent = probes.filter(isRecent);
  const chosen = recent.find((probe) => probe.pip) ?? recent.find((probe) => probe.canBundlePip);
  if (chosen) return chosen;
  if (recent[0]) {
    const { command, version } = recent[0];
    throw new WheelError(`${command} ${version} has no pip`, { remedy: pipRemedy(command, platform) });
  }
  const found = probes.filter((probe) => probe.version !== undefined);
  const got = found.map((probe) => `${probe.command} ${probe.version}`).join(", ");
  const tried = probes.map((probe) => probe.command).join(", ");
  throw new WheelError(`no Python ${oldestPython} or later with pip: ${got ? `found ${got}` : `tried ${tried}`}`, {
    remedy:
      platform === "darwin"
        ? "Install it (`brew install python`), or set BERTQA_PYTHON to one"
        : `${installPython("python3 python3-pip")}, or set BERTQA_PYTHON to one`,
  });
}

/** What to do about an interpreter without pip. */
export function pipRemedy(command: string, platform: string = process.platform): string {
  const install = platform === "darwin" ? `Run \`${command} -m ensurepip\`` : installPython("python3-pip");
  return `${install}, or set BERTQA_PYTHON to a Python with pip`;
}

function installPython(packages: string): string {
  return `Install it (Debian, Ubuntu: \`sudo apt install ${packages}\`; Fedora: \`sudo dnf install ${packages}\`)`;
}

function isRecent({ version }: PythonProbe): boolean {
  return version !== undefined && compareVersions(version, oldestPython) >= 0;
}

const probeProgram = `
import importlib.util as u, json, platform
pip = None
if u.find_spec("pip"):
    import pip as p
    pip = p.__version__
print(json.dumps({"version": platform.python_version(), "pip": pip, "bundles": bool(u.find_spec("ensurepip") and u.find_spec("venv"))}))
`;

export async function probePython(command: string, environment: NodeJS.ProcessEnv): Promise<PythonProbe> {
  // Python looks for modules in the current folder first: run in one where only the administrator can put a pip.py.
  const run = await runProgram(command, ["-c", probeProgram], { environment, cwd: "/" });
  if (run.exitCode !== 0) return { command, version: undefined, pip: undefined, canBundlePip: false };
  const probe = JSON.parse(run.stdout) as { version: string; pip: string | null; bundles: boolean };
  return { command, version: probe.version, pip: probe.pip ?? undefined, canBundlePip: probe.bundles };
}
