import { reshape, type FloatType, type Tensor } from "@bertqa/engine";
import { embedding, embeddingBackward, type EmbeddingIndices } from "./blocks/embedding.ts";
import { nextKeys } from "./blocks/dropout.ts";
import type { ResidualNormGradient } from "./blocks/residual-norm.ts";
import {
  recomputeLayer,
  layerBackward,
  layerForward,
  type Hidden,
  type LayerSaved,
  type NetworkSettings,
  type GradientSink,
  type Weights,
} from "./layer.ts";

export interface NetworkInputs {
  readonly indices: EmbeddingIndices;
  /** float32 [B, 1, 1, L]; 0 for a real token, −1e9 for padding */
  readonly maskBias: Tensor<"float32">;
}

interface KeptLayer<T extends FloatType> {
  readonly input: Hidden<T>;
  /** Index of the layer's first dropout, so that recomputing it draws the same masks. */
  readonly firstDropout: number;
  readonly saved: LayerSaved<T>;
}

/** Embedding and all layers. @returns every hidden state, the embedding's first, and what `backward` needs */
export function forward<T extends FloatType>(settings: NetworkSettings<T>, weights: Weights, inputs: NetworkInputs) {
  const embedded = embed(settings, weights, inputs);
  const hiddens: Hidden<T>[] = [embedded];
  const layers: KeptLayer<T>[] = [];
  for (let index = 0; index < settings.config.layerCount; index += 1) {
    const input = hiddens[index]!;
    const firstDropout = settings.random?.nextDropout ?? 0;
    const { saved, ...hidden } = layerForward(settings, weights, index, input, inputs.maskBias);
    layers.push({ input, firstDropout, saved });
    hiddens.push(hidden);
  }
  return { hiddens, last: hiddens.at(-1)!, layers, embedded };
}

function embed<T extends FloatType>(settings: NetworkSettings<T>, weights: Weights, { indices }: NetworkInputs) {
  const { config, computeDtype, hiddenDropout: dropout } = settings;
  const tables = {
    words: weights("embeddings.words"),
    positions: weights("embeddings.positions"),
    types: weights("embeddings.types"),
    gamma: weights("embeddings.norm.gamma"),
    beta: weights("embeddings.norm.beta"),
  };
  const keys = nextKeys(settings.random, dropout);
  const result = embedding(tables, indices, keys, {
    ...{ epsilon: config.layerNormEpsilon, dropout, computeDtype },
    ...{ hiddenSize: config.hiddenSize, training: settings.random !== undefined },
  });
  return {
    output: reshape(result.output, ["N", config.hiddenSize]),
    operand: reshape(result.operand, ["N", config.hiddenSize]),
    saved: { ...result, keys, gamma: tables.gamma },
  };
}

/** @param gradient of the last hidden state, float32 [N, H]; passes every gradient but the answer head's to `addGradient` */
export function backward<T extends FloatType>(
  settings: NetworkSettings<T>,
  weights: Weights,
  inputs: NetworkInputs,
  { layers, embedded }: ReturnType<typeof forward<T>>,
  gradient: Tensor<"float32">,
  addGradient: GradientSink,
): void {
  let current: ResidualNormGradient<T> = { direct: gradient, throughSublayer: undefined };
  for (let index = layers.length - 1; index >= 0; index -= 1) {
    const { input, firstDropout, saved } = layers[index]!;
    const replayed = { ...settings, random: settings.random && { ...settings.random, nextDropout: firstDropout } };
    const needed = settings.recomputeLayers
      ? recomputeLayer(replayed, weights, index, input, inputs.maskBias, current)
      : saved;
    current = layerBackward(settings, weights, index, current, needed, addGradient);
  }
  embedBackward(settings, inputs, current, embedded.saved, addGradient);
}

function embedBackward<T extends FloatType>(
  settings: NetworkSettings<T>,
  { indices }: NetworkInputs,
  { direct, throughSublayer }: ResidualNormGradient<T>,
  saved: ReturnType<typeof embed<T>>["saved"],
  addGradient: GradientSink,
): void {
  if (!throughSublayer) throw new Error("a network without layers has no gradient to pass on");
  const { config, hiddenDropout } = settings;
  const shape = ["B", "L", config.hiddenSize] as const;
  const apart = { direct: reshape(direct, shape), throughSublayer: reshape(throughSublayer, shape) };
  const gradients = embeddingBackward(apart, saved, indices, config, hiddenDropout);
  addGradient("embeddings.words", gradients.words);
  addGradient("embeddings.positions", gradients.positions);
  addGradient("embeddings.types", gradients.types);
  addGradient("embeddings.norm.gamma", gradients.gamma);
  addGradient("embeddings.norm.beta", gradients.beta);
}
