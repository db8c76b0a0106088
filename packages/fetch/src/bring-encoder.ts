import type { Reporter } from "@bertqa/core";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fetchFiles, type FetchedFile } from "./download.ts";
import { tokenizerFromVocabulary } from "./encoder/wordpiece.ts";
import type { FetchEnvironment } from "./environment.ts";
import type { FetchOptions } from "./options.ts";
import { planFetch } from "./plan.ts";

/** Brings the encoder that a `fetch.json` names, as the stage does, to look at it before a pipeline runs. */
export async function bringEncoder(
  options: FetchOptions,
  pipelineFolder: string,
  environment: FetchEnvironment,
  reporter: Reporter,
): Promise<{ readonly config: unknown; readonly tokenizer: string }> {
  const plan = planFetch(options, { pipelineFolder, hubEndpoint: environment.hubEndpoint });
  const set = plan.find(({ title }) => title === "encoder") as (typeof plan)[number];
  const files = await fetchFiles(set, join(pipelineFolder, "fetch.json"), environment, reporter);
  const read = async (name: string) => {
    const file: FetchedFile | undefined = files.get(name);
    return file && (await readFile(file.path, "utf8"));
  };
  const json = (text: string | undefined) => JSON.parse(text ?? "{}") as Record<string, unknown>;
  const tokenizer =
    (await read("tokenizer.json")) ??
    tokenizerFromVocabulary((await read("vocab.txt")) ?? "", json(await read("tokenizer_config.json"))).json;
  return { config: json(await read("config.json")), tokenizer };
}
