import { BertqaError } from "@bertqa/core";

/** An option of a stage with the values that it takes in a set of cells. */
export interface Setting {
  readonly stage: string;
  /** Keys from the options file's top down: `["dataset", "train", "firstQuestions"]`. */
  readonly path: readonly string[];
  readonly values: readonly SettingValue[];
}

interface SettingValue {
  /** As it was typed. */
  readonly text: string;
  readonly value: unknown;
}

/** A cell before it is written: its name, and one value for each setting. */
export interface CellPlan {
  readonly name: string;
  readonly chosen: readonly (Pick<Setting, "stage" | "path"> & SettingValue)[];
}

const mostCells = 200;
const form = "expected <stage>.<option>=<value>, such as train.seed=1,2,3";

/**
 * Reads settings such as `train.seed=1,2,3`. A value is JSON where it can be read as JSON, else text; commas inside brackets,
 * braces and quotes belong to the value.
 *
 * @throws BertqaError if one has another form, or two set the same option
 */
export function parseSettings(texts: readonly string[]): Setting[] {
  const settings = texts.map(parseSetting);
  const keys = settings.map(keyOf);
  const twice = keys.find((key, i) => keys.indexOf(key) !== i);
  if (twice !== undefined) {
    throw new BertqaError("new", `${twice} is set twice`, { remedy: `Give its values in one: --set ${twice}=1,2` });
  }
  return settings;
}

/** `train.learningRate`. */
export function keyOf({ stage, path }: Pick<Setting, "stage" | "path">): string {
  return [stage, ...path].join(".");
}

function parseSetting(text: string): Setting {
  const [, stage, keys, values] = /^([a-z]+)((?:\.[A-Za-z][\w-]*)+)=(.*)$/s.exec(text) ?? [];
  if (stage === undefined || keys === undefined || values === undefined) {
    throw new BertqaError("new", `got --set ${JSON.stringify(text)}, ${form}`);
  }
  const parts = splitAtCommas(values).map((part) => part.trim());
  if (parts.includes("")) throw new BertqaError("new", `--set ${text} has an empty value, ${form}`);
  return { stage, path: keys.slice(1).split("."), values: parts.map(parseValue) };
}

function parseValue(text: string): SettingValue {
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    return { text, value: text };
  }
}

function splitAtCommas(text: string): string[] {
  const parts = [""];
  let depth = 0;
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i] as string;
    if (isQuoted && letter === "\\") {
      parts.push((parts.pop() as string) + letter + (text[++i] ?? ""));
      continue;
    }
    if (letter === '"') isQuoted = !isQuoted;
    if (!isQuoted && "[{".includes(letter)) depth++;
    if (!isQuoted && "]}".includes(letter)) depth--;
    if (letter === "," && depth === 0 && !isQuoted) parts.push("");
    else parts.push((parts.pop() as string) + letter);
  }
  return parts;
}

/**
 * Every combination of the settings' values, the last setting's changing fastest. One combination alone has the given name;
 * several have the options with more than one value behind it: `sweep-seed-1`, `sweep-seed-1-learning-rate-2e-4`.
 *
 * @throws BertqaError if there are more than 200 of them, or two would have one name
 */
export function planCells(name: string, settings: readonly Setting[]): CellPlan[] {
  const count = settings.reduce((product, { values }) => product * values.length, 1);
  if (count > mostCells) {
    throw new BertqaError("new", `these settings make ${count} cells, expected ${mostCells} at most`);
  }
  let cells: CellPlan[] = [{ name, chosen: [] }];
  for (const { stage, path, values } of settings) {
    const option = path.at(-1) as string;
    cells = cells.flatMap((cell) =>
      values.map((value) => ({
        name: values.length === 1 ? cell.name : `${cell.name}-${slug(option)}-${slug(value.text)}`,
        chosen: [...cell.chosen, { stage, path, ...value }],
      })),
    );
  }
  const names = cells.map((cell) => cell.name);
  const twice = names.find((one, i) => names.indexOf(one) !== i);
  if (twice === undefined) return cells;
  throw new BertqaError("new", `two of these values make the same name, ${twice}`, {
    remedy: "Make their cells one by one, each with a name of its own",
  });
}

/** What may stand in a pipeline's name: `learningRate` → `learning-rate`, `2e-4`, `0.1`, `-1` → `minus-1`. */
function slug(text: string): string {
  const words = text
    .replace(/^-(?=[\d.])/, "minus-")
    .replaceAll(/(?<=[a-z\d])(?=[A-Z])/g, "-")
    .toLowerCase();
  const plain = words.replaceAll(/[^a-z0-9.]+/g, "-");
  return plain.replaceAll(/^[-.]+|[-.]+$/g, "") || "value";
}

/**
 * The options with a value put at a path; what lies on the way is copied, the given options stay as they are.
 *
 * @throws BertqaError if the path leads through a list or a single value
 */
export function withOption(
  options: Readonly<Record<string, unknown>>,
  path: readonly string[],
  value: unknown,
  key: string,
): Record<string, unknown> {
  const [first, ...rest] = path as [string, ...string[]];
  if (rest.length === 0) return { ...options, [first]: value };
  const inner = Object.hasOwn(options, first) ? options[first] : {};
  if (typeof inner !== "object" || inner === null || Array.isArray(inner)) {
    const remedy = `Set ${first} whole, as JSON`;
    throw new BertqaError("new", `${key} leads through ${first}, which is no object with options of its own`, {
      remedy,
    });
  }
  return { ...options, [first]: withOption(inner as Record<string, unknown>, rest, value, key) };
}
