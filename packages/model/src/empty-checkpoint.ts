import { expectedShapes } from "./checkpoint.ts";
import { parseBertConfig } from "./config.ts";
import { elementCount } from "./safetensors.ts";
import type { BertCheckpoint } from "./types.ts";

/**
 * A checkpoint of zeros in the shape of a Hugging Face `config.json`, to be filled.
 *
 * @throws BertqaError if the config is not one of a BERT that can be trained
 */
export function emptyCheckpoint(rawConfig: Readonly<Record<string, unknown>>, where: string): BertCheckpoint {
  const config = parseBertConfig(rawConfig, "model", where);
  const tensors = [...expectedShapes(config)].map(
    ([name, shape]) => [name, { shape, data: new Float32Array(elementCount(shape)) }] as const,
  );
  return { config, rawConfig, tensors: new Map(tensors) };
}
