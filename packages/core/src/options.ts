import { BertqaError, lineAndColumn } from "@bertqa/squad";
import { constants as bufferLimits } from "node:buffer";
import { readFile, stat } from "node:fs/promises";
import { z } from "zod";

/**
 * Reads a JSON file and checks it against a schema.
 *
 * @param stage who asks, for the message
 * @throws BertqaError if the file cannot be read, is not JSON (with line and column), or breaks the schema (every problem named)
 */
export async function readJsonFile<T>(stage: string, path: string, schema: z.ZodType<T>): Promise<T> {
  return parseJson(stage, await readText(stage, path), path, schema);
}

/** Reads a file of JSON values, one a line, each checked against a schema. @throws BertqaError as {@link readJsonFile} does, naming the line */
export async function readJsonLines<T>(stage: string, path: string, schema: z.ZodType<T>): Promise<T[]> {
  const lines = (await readText(stage, path)).split("\n");
  return lines.flatMap((line, i) => (line === "" ? [] : [parseJson(stage, line, `line ${i + 1} of ${path}`, schema)]));
}

/** Like {@link readJsonFile}, for text that is already in memory; `path` serves the message only. */
export function parseJson<T>(stage: string, text: string, path: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BertqaError(
      stage,
      `${path} is not valid JSON: ${(cause as Error).message}${lineAndColumn(text, cause)}`,
      {
        remedy: "Fix the file and run again",
        cause,
      },
    );
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new BertqaError(stage, `${path} breaks its schema: ${describeIssues(parsed.error)}`);
}

/**
 * Reads a stage's options: one strict JSON file, where `$schema` may name the JSON schema for editors.
 * An unknown key is an error, so that a misspelt knob never trains for hours with its default.
 */
export async function readOptions<T extends z.ZodObject>(stage: string, path: string, schema: T): Promise<z.output<T>> {
  const withSchemaKey = schema.extend({ $schema: z.string().optional() });
  const { $schema: _, ...options } = await readJsonFile(stage, path, withSchemaKey);
  return options as z.output<T>;
}

/** One line for all the problems that zod found: `optimizer.learningRate: expected number, received string; …`. */
export function describeIssues(error: z.ZodError, shown = 8): string {
  const lines = error.issues.slice(0, shown).map((issue) => {
    const at = issue.path.map(String).join(".");
    return at ? `${at}: ${issue.message}` : issue.message;
  });
  const left = error.issues.length - lines.length;
  return lines.join("; ") + (left > 0 ? `; and ${left} more` : "");
}

async function readText(stage: string, path: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    // What is too long for one text is said by two codes, and by one of them as if it were not UTF-8.
    const bytes = (await stat(path).catch(() => undefined))?.size ?? 0;
    if (bytes > bufferLimits.MAX_STRING_LENGTH) {
      const most = (bufferLimits.MAX_STRING_LENGTH / 1e6).toFixed(0);
      const problem = `${path} has ${(bytes / 1e6).toFixed(0)} MB, and Node.js holds no text of more than ${most} MB`;
      throw new BertqaError(stage, problem, { cause });
    }
    const unreadable = cause instanceof TypeError ? "is not UTF-8" : `cannot be read: ${code}`;
    const problem = code === "ENOENT" ? "does not exist" : unreadable;
    throw new BertqaError(stage, `${path} ${problem}`, { cause });
  }
}
