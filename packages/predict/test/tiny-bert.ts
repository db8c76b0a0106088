import { SeededRandom, type BertConfig, type HostTensor } from "@bertqa/core";
import { writeCheckpoint } from "@bertqa/model";
import { vocabularySize } from "./fixture.ts";

// Sizes that all differ, so that a swapped axis fails.
const config: BertConfig = {
  vocabularySize,
  hiddenSize: 10,
  layerCount: 3,
  headCount: 2,
  intermediateSize: 13,
  maxPositions: 48,
  tokenTypeCount: 2,
  layerNormEpsilon: 1e-12,
  initializerRange: 0.02,
  hiddenDropout: 0.1,
  attentionDropout: 0.1,
  activation: "gelu",
  paddingId: 0,
};

const rawConfig = {
  architectures: ["BertForQuestionAnswering"],
  model_type: "bert",
  vocab_size: config.vocabularySize,
  hidden_size: config.hiddenSize,
  num_hidden_layers: config.layerCount,
  num_attention_heads: config.headCount,
  intermediate_size: config.intermediateSize,
  max_position_embeddings: config.maxPositions,
  type_vocab_size: config.tokenTypeCount,
  layer_norm_eps: config.layerNormEpsilon,
  initializer_range: config.initializerRange,
  hidden_dropout_prob: config.hiddenDropout,
  attention_probs_dropout_prob: config.attentionDropout,
  hidden_act: config.activation,
};

/** Writes a BERT with random weights, large enough that its logits differ from token to token. */
export async function writeTinyBert(folder: string, { withHead = true } = {}): Promise<void> {
  const tensors = randomTensors(new SeededRandom(1, "tiny BERT"));
  if (!withHead) for (const name of ["qa_outputs.weight", "qa_outputs.bias"]) tensors.delete(name);
  await writeCheckpoint(folder, { config, rawConfig, tensors });
}

function randomTensors(random: SeededRandom): Map<string, HostTensor> {
  const [hidden, inner] = [config.hiddenSize, config.intermediateSize];
  const shapes: [name: string, ...shape: number[]][] = [
    ["bert.embeddings.word_embeddings.weight", config.vocabularySize, hidden],
    ["bert.embeddings.position_embeddings.weight", config.maxPositions, hidden],
    ["bert.embeddings.token_type_embeddings.weight", config.tokenTypeCount, hidden],
    ["bert.embeddings.LayerNorm.weight", hidden],
    ["bert.embeddings.LayerNorm.bias", hidden],
    ...Array.from({ length: config.layerCount }, (_, i) =>
      layerShapes(`bert.encoder.layer.${i}`, hidden, inner),
    ).flat(),
    ["qa_outputs.weight", 2, hidden],
    ["qa_outputs.bias", 2],
  ];
  return new Map(
    shapes.map(([name, ...shape]) => {
      const length = shape.reduce((product, size) => product * size, 1);
      const centre = name.endsWith("LayerNorm.weight") ? 1 : 0;
      const data = Float32Array.from({ length }, () => centre + (random.integerBelow(2001) - 1000) / 2000);
      return [name, { shape, data }];
    }),
  );
}

function layerShapes(layer: string, hidden: number, inner: number): [name: string, ...shape: number[]][] {
  const linears: [string, number, number][] = [
    ["attention.self.query", hidden, hidden],
    ["attention.self.key", hidden, hidden],
    ["attention.self.value", hidden, hidden],
    ["attention.output.dense", hidden, hidden],
    ["intermediate.dense", inner, hidden],
    ["output.dense", hidden, inner],
  ];
  const norms = ["attention.output.LayerNorm", "output.LayerNorm"];
  return [
    ...linears.flatMap(([name, out, into]): [string, ...number[]][] => [
      [`${layer}.${name}.weight`, out, into],
      [`${layer}.${name}.bias`, out],
    ]),
    ...norms.flatMap((name): [string, ...number[]][] => [
      [`${layer}.${name}.weight`, hidden],
      [`${layer}.${name}.bias`, hidden],
    ]),
  ];
}
