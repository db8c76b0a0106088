import { BertqaError, countOf, describeIssues, readJsonFile, type Reporter } from "@bertqa/core";
import { parseSource } from "@bertqa/fetch";
import { createReporter } from "@bertqa/runner";
import { existsSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { readSource, type SourcePipeline, type StageOwner } from "../cells/source.ts";
import { keyOf, parseSettings, planCells, withOption, type CellPlan } from "../cells/settings.ts";
import { jsonFile, refuseTaken, writePipelineFolder } from "../pipeline-files.ts";
import { recipeFor } from "../recipe.ts";
import { findStage, stageNames } from "../stages.ts";

type Options = Readonly<Record<string, unknown>>;

/**
 * Makes cells: pipelines that differ from an existing one in the options that `--set` names, and take the artifacts of all
 * stages before the first changed one from it, by the slots of `pipeline.json`. Options files of that stage and the later ones
 * are copied, so a cell keeps its meaning when its source changes; what it shares follows the source. All values are checked
 * before the first folder is written.
 *
 * @param name of the cell, or the beginning of the cells' names where settings have several values
 * @param like the source: its folder, the folder's name under `pipelines/`, or its project's name
 * @param sets as {@link parseSettings} reads them
 * @returns the cells' folders
 * @throws BertqaError if a setting, a value or a name cannot be used
 */
export async function newCells(
  name: string,
  like: string,
  sets: readonly string[],
  reporter: Reporter = createReporter("new"),
): Promise<string[]> {
  if (sets.length === 0) {
    throw new BertqaError("new", "--like says what a cell is made of, and nothing what differs", {
      remedy: "Add --set, for example --set train.seed=2",
    });
  }
  const source = await readSource(like);
  const stageDependencies = await readStageDependencies();
  const settings = parseSettings(sets);
  const unknown = settings.find(({ stage }) => !source.owners.has(stage));
  if (unknown) {
    const problem = `--set ${keyOf(unknown)}: ${like} has no stage "${unknown.stage}"`;
    throw new BertqaError("new", problem, { remedy: `Choose one of ${[...source.owners.keys()].join(", ")}` });
  }
  const first = Math.min(...settings.map(({ stage }) => stageNames.indexOf(stage)));
  const plans = planCells(name, settings);
  for (const plan of plans) refuseTaken(plan.name, relative("", join(source.parentFolder, plan.name)));
  const cells: [folder: string, files: ReadonlyMap<string, string>][] = [];
  for (const plan of plans) {
    const own = await ownOptions(source, plan, first, reporter);
    cells.push([join(source.parentFolder, plan.name), filesOf(source, plan, own, stageDependencies)]);
  }
  for (const [folder, files] of cells) await writePipelineFolder(folder, files);
  const shared = new Map([...source.owners].filter(([stage]) => stageNames.indexOf(stage) < first));
  const from = sharedText(shared, ({ project }) => project);
  reporter.line(`${countOf(cells.length, "cell")}; shared: ${from || "nothing"}`);
  reporter.line(`next: npx nx run-many -t evaluate -p "${cells.length > 1 ? `${name}-*` : name}"`);
  return cells.map(([folder]) => relative("", folder));
}

/**
 * Makes the cells of a curve over the number of training questions: `<name>-100`, `<name>-300` …. Each draws so many questions, a
 * smaller set being part of each larger one, and has the epochs and the batch that `bertqa new` gives to data of that size, but
 * where `sets` says otherwise.
 *
 * @returns the cells' folders
 * @throws BertqaError as {@link newCells} does
 */
export async function newCurve(
  name: string,
  like: string,
  sizes: readonly number[],
  sets: readonly string[],
  reporter: Reporter = createReporter("new"),
): Promise<string[]> {
  const isSet = new Set(parseSettings(sets).map(keyOf));
  const { parentFolder } = await readSource(like);
  for (const size of sizes) refuseTaken(`${name}-${size}`, relative("", join(parentFolder, `${name}-${size}`)));
  const quiet: Reporter = { ...reporter, line: () => {} };
  const made: string[] = [];
  for (const size of new Set(sizes)) {
    const { learningRate: _, ...sized } = recipeFor(size, 384);
    const own = Object.entries({ "fetch.dataset.train.draw.questions": size, ...prefixed(sized) });
    const settings = own.filter(([key]) => !isSet.has(key)).map(([key, value]) => `${key}=${value}`);
    made.push(...(await newCells(`${name}-${size}`, like, [...settings, ...sets], quiet)));
  }
  reporter.line(`${countOf(made.length, "cell")}; each fetches for itself`);
  const { dataset } = await readJsonFile("new", join(made[0] as string, "fetch.json"), datasetSchema);
  if (dataset.extra !== undefined && !isSet.has("train.epochs")) {
    reporter.line(
      "note: epochs and batch are those of the drawn questions alone, without the extra ones: --set train.epochs=… says other ones",
    );
  }
  reporter.line(`next: npx nx run-many -t evaluate -p "${name}-*"`);
  reporter.line(`then: npx bertqa compare "pipelines/${name}-*"`);
  return made;
}

const datasetSchema = z.looseObject({ dataset: z.looseObject({ extra: z.unknown().optional() }) });

function prefixed(options: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [`train.${key}`, value]));
}

const workspaceSchema = z.looseObject({
  targetDefaults: z.record(z.string(), z.looseObject({ dependsOn: z.array(z.unknown()).optional() })),
});

/** What Nx runs before each stage of a whole pipeline. */
async function readStageDependencies(): Promise<ReadonlyMap<string, readonly unknown[]>> {
  if (!existsSync("nx.json")) {
    throw new BertqaError("new", "this folder is not the workspace's", { remedy: "Run it where nx.json lies" });
  }
  const { targetDefaults } = await readJsonFile("new", "nx.json", workspaceSchema);
  return new Map(Object.entries(targetDefaults).map(([stage, { dependsOn = [] }]) => [stage, dependsOn]));
}

/** Options files of the stages that the cell runs itself, with its values, checked against their stages' schemas. */
async function ownOptions(source: SourcePipeline, plan: CellPlan, first: number, reporter: Reporter) {
  const own = new Map<string, Options>();
  for (const [stage, owner] of source.owners) {
    if (stageNames.indexOf(stage) < first) continue;
    const path = join(owner.folder, `${stage}.json`);
    const given = await readJsonFile("new", path, z.record(z.string(), z.unknown()));
    const cellFolder = join(source.parentFolder, plan.name);
    let options = stage === "fetch" ? rebased(given, owner.folder, cellFolder) : given;
    for (const one of plan.chosen) {
      if (one.stage === stage) options = withOption(options, one.path, one.value, keyOf(one));
    }
    const schema = await schemaOf(stage);
    const resolved = check(schema, stage, options, plan);
    const isSet = plan.chosen.some((one) => one.stage === stage);
    if (isSet && isDeepStrictEqual(resolved, schema.safeParse(given).data)) {
      reporter.line(`${plan.name}: ${stage} as in ${owner.project}; it runs again all the same`);
    }
    own.set(stage, options);
  }
  return own;
}

async function schemaOf(stage: string): Promise<z.ZodObject> {
  const schema = (await findStage(stage))?.options as z.ZodObject;
  return schema.extend({ $schema: z.string().optional() });
}

/** @returns the options with their defaults */
function check(schema: z.ZodObject, stage: string, options: Options, { chosen }: CellPlan): Options {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const given = chosen.filter((one) => one.stage === stage).map((one) => `${keyOf(one)}=${one.text}`);
  const remedy = `npx bertqa stage ${stage} --print-schema shows what is allowed`;
  throw new BertqaError("new", `--set ${given.join(" ")}: ${describeIssues(parsed.error)}`, { remedy });
}

/** Local sources of fetch.json are relative to its folder, or absolute. */
function rebased(options: Options, from: string, to: string): Options {
  const isRelative = (source: unknown) =>
    typeof source === "string" && parseSource(source).kind === "local" && !isAbsolute(source);
  const move = (source: unknown) => (isRelative(source) ? relative(to, join(from, source as string)) : source);
  const inside = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]: [string, unknown]) => [
        key,
        key === "sources" && Array.isArray(inner) ? inner.map(move) : inside(inner),
      ]),
    );
  };
  return inside(options) as Options;
}

/** The files of a cell's folder by name; project.json comes last, as Nx knows the folder by it. */
function filesOf(
  source: SourcePipeline,
  plan: CellPlan,
  own: ReadonlyMap<string, Options>,
  stageDependencies: ReadonlyMap<string, readonly unknown[]>,
): ReadonlyMap<string, string> {
  const shared = new Map([...source.owners].filter(([stage]) => !own.has(stage)));
  const slots = Object.fromEntries([...shared].map(([stage, { folderName }]) => [stage, folderName]));
  const targets = [...own.keys()].map((stage) => {
    const { dependsOn: _, ...target } = source.targets[stage] ?? {};
    const before = stageDependencies.get(stage) ?? [];
    // Nx takes a target's own list instead of nx.json's, not beside it.
    const dependsOn = before.map((dependency) => {
      const owner = typeof dependency === "string" ? shared.get(dependency) : undefined;
      return owner ? { projects: [owner.project], target: dependency } : dependency;
    });
    return [stage, isDeepStrictEqual(dependsOn, before) ? target : { ...target, dependsOn }] as const;
  });
  const { namedInputs: _, $schema, ...project } = source.project;
  const fingerprint = `node packages/fetch/bin/bertqa-fetch-fingerprint.mjs ${relative("", join(source.parentFolder, plan.name))}`;
  const namedInputs = own.has("fetch") ? { namedInputs: { localSources: [{ runtime: fingerprint }] } } : {};
  // For `nx affected`: what a change reaches is told by projects, not by the inputs of targets.
  const implicitDependencies = [...new Set([...shared.values()].map((owner) => owner.project)), ...own.keys()];
  return new Map([
    ["README.md", readmeOf(plan, shared)],
    ...(shared.size > 0 ? [["pipeline.json", jsonFile({ artifacts: slots })] as const] : []),
    ...[...own].map(([stage, options]) => [`${stage}.json`, jsonFile(options)] as const),
    [
      "project.json",
      jsonFile({
        $schema,
        ...project,
        name: plan.name,
        implicitDependencies,
        ...namedInputs,
        targets: Object.fromEntries(targets),
      }),
    ],
  ]);
}

function readmeOf({ name, chosen }: CellPlan, shared: SourcePipeline["owners"]): string {
  const values = chosen.map((one) => `- \`${keyOf(one)}\`: \`${one.text}\``).join("\n");
  const from = sharedText(shared, ({ folderName }) => `[${folderName}](../${folderName})`);
  const sharing = from ? `It takes ${from}.\n\n` : "";
  const command = `\`\`\`sh\nnpx nx run ${name}:evaluate\n\`\`\``;
  return `# ${name}\n\n${values}\n\n${sharing}${command}\n\nTo remove it, delete this folder and \`artifacts/${name}\`.\n`;
}

/** `fetch, tokenize of own-data`; "" where nothing is shared. */
function sharedText(shared: SourcePipeline["owners"], nameOf: (owner: StageOwner) => string): string {
  const names = [...new Set([...shared.values()].map(nameOf))];
  return names
    .map((name) => {
      const stages = [...shared].filter(([, owner]) => nameOf(owner) === name).map(([stage]) => stage);
      return `${stages.join(", ")} of ${name}`;
    })
    .join("; ");
}
