import { reshape, type FloatType, type Tensor } from "@bertqa/engine";
import { embedding, embeddingBackward, type EmbeddingIndices } from "./blocks/embedding.ts";
import { nextKeys } from "./blocks/dropout.ts";
import type { ResidualNormGradient } from "./blocks/residual-norm.ts";
import {
  layerAgain,
  layerBackward,
  layerForward,
  type Hidden,
  type LayerSaved,
  type NetworkSettings,
  type TakeGradient,
  type Weights,
} from "./layer.ts";

export interface NetworkInputs {
  readonly indices: EmbeddingIndices;
  /** float32 [B, 1, 1, L]; 0 for a real token, −1e9 for padding */
  readonly maskBias: Tensor<"float32">;
}

interface KeptLayer<T extends FloatType> {
  readonly input: Hidden<T>;
  /** The layer's first dropout site, so that computing it again draws the same masks. */
  readonly firstSite: number;
  readonly saved: LayerSaved<T>;
}

/** Embedding and all layers. @returns every hidden state, the embedding's first, and what `backward` needs */
export function forward<T extends FloatType>(settings: NetworkSettings<T>, weights: Weights, inputs: NetworkInputs) {
  const embedded = embed(settings, weights, inputs);
  const hiddens: Hidden<T>[] = [embedded];
  const layers: KeptLayer<T>[] = [];
  for (let index = 0; index < settings.config.layerCount; index += 1) {
    const input = hiddens[index]!;
    const firstSite = settings.random?.nextSite ?? 0;
    const { saved, ...hidden } = layerForward(settings, weights, index, input, inputs.maskBias);
    layers.push({ input, firstSite, saved });
    hiddens.push(hidden);
  }
  return { hiddens, last: hiddens.at(-1)!, layers, embedded };
}

function embed<T extends FloatType>(settings: NetworkSettings<T>, weights: Weights, { indices }: NetworkInputs) {
  const { config, low, hiddenDropout: dropout } = settings;
  const tables = {
    words: weights("embeddings.words"),
    positions: weights("embeddings.positions"),
    types: weights("embeddings.types"),
    scale: weights("embeddings.norm.scale"),
    shift: weights("embeddings.norm.shift"),
  };
  const keys = nextKeys(settings.random, dropout);
  const result = embedding(tables, indices, keys, { epsilon: config.layerNormEpsilon, dropout, low });
  return {
    output: reshape(result.output, ["N", config.hiddenSize]),
    outputLow: reshape(result.outputLow, ["N", config.hiddenSize]),
    saved: { ...result, keys, scale: tables.scale },
  };
}

/** @param gradient of the last hidden state, float32 [N, H]; gives every gradient but the answer head's to `take` */
export function backward<T extends FloatType>(
  settings: NetworkSettings<T>,
  weights: Weights,
  inputs: NetworkInputs,
  { layers, embedded }: ReturnType<typeof forward<T>>,
  gradient: Tensor<"float32">,
  take: TakeGradient,
): void {
  let current: ResidualNormGradient<T> = { direct: gradient, throughSublayer: undefined };
  for (let index = layers.length - 1; index >= 0; index -= 1) {
    const { input, firstSite, saved } = layers[index]!;
    const again = { ...settings, random: settings.random && { ...settings.random, nextSite: firstSite } };
    const needed = settings.recomputeLayers
      ? layerAgain(again, weights, index, input, inputs.maskBias, current)
      : saved;
    current = layerBackward(settings, weights, index, current, needed, take);
  }
  embedBackward(settings, inputs, current, embedded.saved, take);
}

function embedBackward<T extends FloatType>(
  settings: NetworkSettings<T>,
  { indices }: NetworkInputs,
  { direct, throughSublayer }: ResidualNormGradient<T>,
  saved: ReturnType<typeof embed<T>>["saved"],
  take: TakeGradient,
): void {
  if (!throughSublayer) throw new Error("a network without layers has no gradient to pass on");
  const { config, hiddenDropout } = settings;
  const shape = ["B", "L", config.hiddenSize] as const;
  const apart = { direct: reshape(direct, shape), throughSublayer: reshape(throughSublayer, shape) };
  const gradients = embeddingBackward(apart, saved, indices, config, hiddenDropout);
  take("embeddings.words", gradients.words);
  take("embeddings.positions", gradients.positions);
  take("embeddings.types", gradients.types);
  take("embeddings.norm.scale", gradients.scale);
  take("embeddings.norm.shift", gradients.shift);
}
