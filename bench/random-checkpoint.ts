import { readFile } from "node:fs/promises";
import { parseBertConfig, SeededRandom } from "@bertqa/core";
import { zeroTensors, type BertCheckpoint } from "@bertqa/model";

/** A checkpoint of a config's shape with random weights: speed does not depend on their values, as long as they are ordinary. */
export async function randomCheckpoint(configFile: string): Promise<BertCheckpoint> {
  const rawConfig = JSON.parse(await readFile(configFile, "utf8")) as Record<string, unknown>;
  const config = parseBertConfig(rawConfig, "bench", configFile);
  const tensors = zeroTensors(config);
  const random = new SeededRandom(42, "bench weights");
  const block = Float32Array.from({ length: 65_537 }, () => (random.integerBelow(2001) - 1000) / 25_000);
  for (const { data } of tensors.values()) {
    for (let i = 0; i < data.length; i++) data[i] = block[i % block.length] as number;
  }
  return { config, rawConfig, tensors };
}
