import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BertqaError, formatDuration, type Reporter } from "@bertqa/core";
import type { Environment } from "@bertqa/runner/cache-folder";
import { runProgram } from "@bertqa/runner/program";
import { kernelInstructionSets, kernelsSource } from "../kernels.ts";
import { bindingFile, stderrTapFile, tfjsFolder } from "../locate.ts";
import type { LibraryChoice } from "./platform.ts";

export interface Compiler {
  readonly command: string;
  /** Its first version line. */
  readonly version: string;
}

/** @throws BertqaError with the package to install where there is no C++ compiler */
export async function findCompiler(
  environment: Environment = process.env,
  platform: string = process.platform,
): Promise<Compiler> {
  const candidates = environment["CXX"] ? [environment["CXX"]] : ["g++", "clang++", "c++"];
  for (const command of candidates) {
    const { exitCode, stdout } = await runProgram(command, ["--version"]);
    const [version = ""] = stdout.split("\n");
    if (exitCode === 0) return { command, version };
  }
  throw new BertqaError("engine", `no C++ compiler: tried ${candidates.join(", ")}`, {
    remedy: compilerRemedy(platform),
  });
}

function compilerRemedy(platform: string): string {
  if (platform === "darwin") return "Install it with `xcode-select --install`";
  return "Install one (Debian, Ubuntu: `sudo apt install g++`; Fedora: `sudo dnf install gcc-c++`), or set CXX to one";
}

/** Where a build reads and writes; all are folders. */
export interface BuildFolders {
  /** Holds `tensorflow/` with its libraries and headers. */
  readonly library: string;
  /** The tfjs-node package, whose `binding/` is compiled. */
  readonly tfjs: string;
  /** Node-API's headers. */
  readonly nodeHeaders: string;
  /** Our own native sources. */
  readonly native: string;
  /** Objects and results. */
  readonly output: string;
}

/** Command lines without the compiler's own name. */
interface BuildSteps {
  readonly compile: readonly string[][];
  readonly link: readonly string[][];
}

/**
 * The arguments of each compiler call: first those of `compile`, side by side, then those of `link`.
 *
 * On Linux the addon is linked against an empty library that bears TensorFlow's name: the linker would spend seconds on
 * reading the symbols of the real one (0.8 GB), only to write the same name into the addon.
 */
export function buildSteps(choice: LibraryChoice, platform: string, folders: BuildFolders): BuildSteps {
  const { output } = folders;
  const object = (name: string) => join(output, `${name}.o`);
  const bindingSources = ["tfjs_backend", "tfjs_binding"];
  const compile = (folder: string, name: string) => [
    ...["-std=c++17", "-O2", "-fPIC", "-w", "-DNAPI_VERSION=8"],
    ...["-I", folders.nodeHeaders, "-I", join(folders.library, "tensorflow", "include")],
    ...["-c", join(folder, `${name}.cc`), "-o", object(name)],
  ];
  const libraries = [choice.opsLibrary, choice.frameworkLibrary];
  const isMac = platform === "darwin";
  const linked = (file: string) => (isMac ? join(folders.library, "tensorflow", file) : join(output, file));
  const emptyLibrary = (file: string) => [
    ...["-shared", "-x", "c++", "/dev/null", `-Wl,-soname,${file}`, "-o", linked(file)],
  ];
  const addon = isMac ? ["-bundle", "-undefined", "dynamic_lookup"] : ["-shared", "-Wl,--no-as-needed"];
  // Relative to the addon, so that the cache folder can move.
  const runPath = `-Wl,-rpath,${isMac ? "@loader_path" : "$ORIGIN"}/../tensorflow`;
  return {
    compile: [
      ...bindingSources.map((name) => compile(join(folders.tfjs, "binding"), name)),
      compile(folders.native, "stderr_tap"),
      ...(isMac ? [] : libraries.map(emptyLibrary)),
    ],
    link: [
      [...addon, ...bindingSources.map(object), ...libraries.map(linked), runPath, "-o", join(output, bindingFile)],
      [...addon, object("stderr_tap"), "-o", join(output, stderrTapFile)],
    ],
  };
}

export function isBindingBuilt(folder: string): boolean {
  return [bindingFile, stderrTapFile].every((file) => existsSync(join(folder, file)));
}

/**
 * Compiles tfjs-node's own binding against the library in `library`.
 *
 * @param output a new folder, which ends with the two addons alone in it; they load from a folder beside `tensorflow/`
 * @throws BertqaError where there is no compiler, or it refuses
 */
export async function buildBinding(
  choice: LibraryChoice,
  library: string,
  output: string,
  report: Reporter,
): Promise<Compiler> {
  const compiler = await findCompiler();
  const startedMs = Date.now();
  report.line(`compiling tfjs-node's binding with ${compiler.version}`);
  mkdirSync(output, { recursive: true });
  const native = fileURLToPath(new URL("../../native", import.meta.url));
  const folders = { library, tfjs: tfjsFolder(), nodeHeaders: nodeHeadersFolder(), native, output };
  const { compile, link } = buildSteps(choice, process.platform, folders);
  await Promise.all(compile.map((compilerArguments) => runCompiler(compiler, compilerArguments)));
  await Promise.all(link.map((compilerArguments) => runCompiler(compiler, compilerArguments)));
  for (const name of readdirSync(output)) {
    if (name !== bindingFile && name !== stderrTapFile) rmSync(join(output, name));
  }
  report.line(`compiled · ${formatDuration(Date.now() - startedMs)}`);
  return compiler;
}

/**
 * Compiles our own kernels (`native/kernels.cc`), for `folder/tensorflow`.
 *
 * @param output the addon's path, in a folder beside or in which it is to lie: it loads from `folder`
 * @throws BertqaError where there is no compiler, or it refuses
 */
export async function buildKernels(
  folder: string,
  choice: LibraryChoice,
  output: string,
  report: Reporter,
): Promise<void> {
  const compiler = await findCompiler();
  const startedMs = Date.now();
  await runCompiler(compiler, [
    ...["-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-w", "-DNAPI_VERSION=8"],
    ...kernelInstructionSets.map((name) => `-m${name}`),
    ...["-I", nodeHeadersFolder(), "-I", join(folder, "tensorflow", "include"), "-shared", kernelsSource],
    ...["-L", join(folder, "tensorflow"), `-l:${choice.frameworkLibrary}`, "-Wl,-rpath,$ORIGIN/tensorflow"],
    ...["-o", output],
  ]);
  report.line(`compiled the kernels · ${formatDuration(Date.now() - startedMs)}`);
}

function nodeHeadersFolder(): string {
  const require = createRequire(import.meta.url);
  return (require("node-api-headers") as { include_dir: string }).include_dir;
}

async function runCompiler(compiler: Compiler, compilerArguments: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runProgram(compiler.command, compilerArguments);
  if (exitCode !== 0) throw explainCompilerFailure(compiler, stderr);
}

export function explainCompilerFailure(compiler: Compiler, output: string): BertqaError {
  const firstError = output.split("\n").find((line) => /\berror\b/i.test(line)) ?? output.trim().split("\n")[0];
  return new BertqaError("engine", `${compiler.version} did not compile the native code: ${firstError}`, {
    remedy: output.includes("No space left on device")
      ? "Free some space, or set BERTQA_CACHE to a folder on another disk"
      : "Use a C++17 compiler (g++ 9 or clang++ 10, or later); CXX names it",
    cause: new Error(output),
  });
}
