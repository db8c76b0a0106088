import { readdirSync, readFileSync } from "node:fs";
import { basename, join, relative } from "node:path";

/** What `trace.mjs` saw of one process. */
interface Trace {
  readonly argv: readonly string[];
  /** Absolute paths. */
  readonly files: readonly string[];
  readonly programs: readonly string[];
  readonly variables: readonly string[];
}

/** An entry of `inputs` in `nx.json`. */
type NxInput =
  | string
  | {
      readonly input?: string;
      readonly projects?: readonly string[];
      readonly env?: string;
    };

export interface NxJson {
  readonly namedInputs: Readonly<Record<string, readonly NxInput[]>>;
  readonly targetDefaults: Readonly<
    Record<string, { readonly dependsOn?: readonly unknown[]; readonly inputs: readonly NxInput[] }>
  >;
}

/** Places that a stage may look at though no input of Nx names them, relative to the workspace, each with its reason. */
const allowedFiles: readonly (readonly [RegExp, string])[] = [
  [/(^|\/)node_modules\//, "packages from npm: boundaries.test.ts holds externalDependencies"],
  [/^packages\/[\w-]+\/(src|bin)(\/|$)|^packages(\/[\w-]+)?(\/package\.json)?$/, "code: boundaries.test.ts holds it"],
  [/(^|\/)(package|tsconfig(\.base)?)\.json$/, "the compiler of TypeScript"],
  [/^(pipelines\/(tiny\/)?)?nx\.json$|^(pipelines(\/tiny)?|artifacts(\/tiny)?)?$/, "where the workspace lies"],
  [/^pipelines\/tiny\/project\.json$/, "the project's name: Nx hashes each project's configuration by itself"],
  [/^pipelines\/tiny\/pipeline\.json$/, "fetch alone does not name it, and has no slots"],
  [/^\.git$/, "the commit in the history, which is no part of the artifact"],
  [/^artifacts\/tiny\/history/, "the history of evaluations, which is no part of the artifact"],
  [/^\/proc\/(\d+|self)\/|^\/proc\/sys\/kernel\/random\/boot_id$/, "locks: whether the process that holds one lives"],
  [/^\/proc\/cpuinfo$/, "what `precision: auto` comes to; ARCHITECTURE.md says what holds on unequal machines"],
  [/^\/usr\/bin\/ldd$/, "which build of a native package fits this C library"],
  [/(^|\/)bertqa-graph-\w+(\/|$)/, "the graph on its way to TensorFlow, written by the stage itself"],
  [/\/bertqa\/(engine\/tensorflow-[^/]+\/|compiled(\/|$))|\/bertqa$/, "TensorFlow: its version is in every manifest"],
  [/\/test\/support\/trace\.mjs$/, "the tracer"],
];

/** Variables that a stage may read though no input of Nx names them, each group with its reason. */
const allowedVariables: readonly (readonly [RegExp, string])[] = [
  [/^(CI|COLORTERM|FORCE_COLOR|NO_COLOR|NODE_DISABLE_COLORS|TERM|TEAMCITY_VERSION|TMUX|TERM_PROGRAM)$/, "colours"],
  [/^(NODE_\w+|TSX_\w+|ESBUILD_\w+|WATCH_REPORT_DEPENDENCIES|NAPI_RS_\w+|TMPDIR|TMP|TEMP)$/, "Node and its loader"],
  [/^(DEBUG_NOPT|NOPT_DEBUG|READABLE_STREAM|BUF_BIGINT_DISABLE|node_pre_gyp_\w+|npm_\w+)$/, "npm packages"],
  [/^(BERTQA_CACHE|XDG_CACHE_HOME|HOME)$/, "where downloads and TensorFlow are kept"],
  [
    /^(HF_ENDPOINT|HF_TOKEN|https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY|all_proxy|ALL_PROXY)$/i,
    "ways to files pinned by sha256",
  ],
  [
    /^NX_(INVOCATION_ANCESTOR_PIDS|TASK_HASH)$/,
    "which Nx runs the stage, and so since when its inputs must not have changed",
  ],
  [/^TF_CPP_MIN_LOG_LEVEL$/, "how much TensorFlow says"],
  [/^TF_FORCE_GPU_ALLOW_GROWTH$/, "how TensorFlow takes a GPU's memory"],
  [/^BERTQA_TRACE$/, "the tracer"],
];

/** Programs that a stage may start. */
const allowedPrograms: Readonly<Record<string, string>> = {
  esbuild: "compiles the sources: boundaries.test.ts holds it in externalDependencies",
  git: "the commit in the history, which is no part of the artifact",
  "nvidia-smi": "the name of the device, for messages and `device: auto`",
};

/** The traces of a folder, by stage. */
export function readTraces(folder: string): Map<string, Trace> {
  const traces = new Map<string, Trace>();
  for (const name of readdirSync(folder)) {
    const trace = JSON.parse(readFileSync(join(folder, name), "utf8")) as Trace;
    const [program, command, stage] = trace.argv.slice(1);
    if (program?.includes("bertqa") && command === "stage" && stage !== undefined) traces.set(stage, trace);
  }
  return traces;
}

/**
 * What a stage of the pipeline `tiny` read and Nx was not told of.
 *
 * @param stage     its name, which is its target's
 * @param localSources files that the fingerprint of fetch hashes, relative to the pipeline's folder
 * @returns `reads pipelines/tiny/notes.txt`, `reads the variable X`, `starts x`; empty where all is declared
 */
export function undeclaredReads(
  trace: Omit<Trace, "argv">,
  stage: string,
  { workspace, nx, localSources }: { workspace: string; nx: NxJson; localSources: readonly string[] },
): string[] {
  const { inputs = [], dependsOn = [] } = nx.targetDefaults[stage] ?? {};
  const patterns = [...patternsOf(inputs, nx), ...(inputs.includes("localSources") ? localSources.map(tinyFile) : [])];
  // Outputs of the stages before: Nx hashes their manifests, which hold the sha256 of every file.
  const before = dependsOn.filter((target) => typeof target === "string").map((target) => `artifacts/tiny/${target}`);
  // Options files of earlier stages are compared with what the artifacts say of themselves; a difference ends the run.
  const refusals = before.map((folder) => tinyFile(`${folder.split("/").at(-1)}.json`));
  const own = new RegExp(String.raw`^artifacts/tiny/\.?${stage}([./]|$)`);
  const isDeclared = (path: string) =>
    own.test(path) ||
    refusals.includes(path) ||
    [...before, ...patterns].some((place) => path === place || path.startsWith(`${place}/`)) ||
    allowedFiles.some(([pattern]) => pattern.test(path));
  const paths = trace.files.map((file) => {
    const path = relative(workspace, file);
    return path.startsWith("..") ? file : path;
  });
  const told = inputs.flatMap((input) => (typeof input === "string" ? [] : (input.env ?? [])));
  const variables = trace.variables.filter(
    (name) => !told.includes(name) && !allowedVariables.some(([pattern]) => pattern.test(name)),
  );
  const programs = trace.programs.filter((name) => !Object.hasOwn(allowedPrograms, basename(name)));
  return [
    ...paths.filter((path) => !isDeclared(path)).map((path) => `reads ${path}`),
    ...variables.map((name) => `reads the variable ${name}`),
    ...programs.map((name) => `starts ${name}`),
  ];
}

function tinyFile(path: string): string {
  return `pipelines/tiny/${path}`;
}

/** Files and folders that inputs name, relative to the workspace. */
function patternsOf(inputs: readonly NxInput[], nx: NxJson): string[] {
  return inputs.flatMap((input) => {
    if (typeof input === "string") {
      return input.startsWith("{projectRoot}/") ? [input.replace("{projectRoot}", "pipelines/tiny")] : [];
    }
    const named = nx.namedInputs[input.input ?? ""] ?? [];
    return (input.projects ?? []).flatMap((project) =>
      named
        .filter((pattern) => typeof pattern === "string" && pattern.startsWith("{projectRoot}/"))
        .map((pattern) => (pattern as string).replace("{projectRoot}", `packages/${project}`).replace("/**/*", "")),
    );
  });
}
