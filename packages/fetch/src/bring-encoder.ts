import type { Reporter } from "@bertqa/core";
import { join } from "node:path";
import { z } from "zod";
import { fetchFiles, type FetchedFile } from "./download.ts";
import { checkEncoder, readEncoderJson, readEncoderText } from "./encoder/check.ts";
import { tokenizerOf } from "./encoder/write.ts";
import type { FetchEnvironment } from "./environment.ts";
import type { FetchOptions } from "./options.ts";
import { planFetch } from "./plan.ts";

const sizesSchema = z.object({ max_position_embeddings: z.int().positive(), hidden_size: z.int().positive() });

/** What a new pipeline needs to know of its encoder. */
export interface EncoderFacts {
  readonly maxPositions: number;
  readonly hiddenSize: number;
  /** The text of `tokenizer.json`. */
  readonly tokenizer: string;
}

/**
 * Brings the encoder that a `fetch.json` names, as the stage does, to look at it before a pipeline runs.
 *
 * @throws BertqaError if it cannot be had, or cannot be fine-tuned here
 */
export async function bringEncoder(
  options: FetchOptions,
  pipelineFolder: string,
  environment: FetchEnvironment,
  reporter: Reporter,
): Promise<EncoderFacts> {
  const plan = planFetch(options, { pipelineFolder, hubEndpoint: environment.hubEndpoint });
  const set = plan.find(({ title }) => title === "encoder") as (typeof plan)[number];
  const files = await fetchFiles(set, join(pipelineFolder, "fetch.json"), environment, reporter);
  const read = ({ path, origin }: FetchedFile) => readEncoderText(path, origin);
  const config = await read(files.get("config.json") as FetchedFile);
  const given = files.get("tokenizer.json");
  const tokenizer = given ? await read(given) : { text: (await tokenizerOf(files)).json, origin: "tokenizer.json" };
  checkEncoder(config, tokenizer);
  const { max_position_embeddings: maxPositions, hidden_size: hiddenSize } = readEncoderJson(config, sizesSchema);
  return { maxPositions, hiddenSize, tokenizer: tokenizer.text };
}
