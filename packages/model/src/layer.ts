import { cast, delayed, type FloatType, type Tensor } from "@bertqa/engine";
import { attention, attentionBackward, splitHeads, splitHeadsBackward } from "./blocks/attention.ts";
import { nextKeys, type DropoutSource } from "./blocks/dropout.ts";
import type { RowGradient } from "./blocks/embedding.ts";
import { activate, activateBackward } from "./blocks/feed-forward.ts";
import { linear, linearBackward } from "./blocks/linear.ts";
import { residualNorm, residualNormBackward, type ResidualNormGradient } from "./blocks/residual-norm.ts";
import type { BertConfig } from "./types.ts";

type F32 = Tensor<"float32">;

/** What every part of the network needs to know. */
export interface NetworkSettings<T extends FloatType> {
  readonly config: BertConfig;
  /** Type of the inputs of matrix products. */
  readonly low: T;
  readonly hiddenDropout: number;
  readonly attentionDropout: number;
  /** None for prediction. */
  readonly random: DropoutSource | undefined;
  readonly recomputeLayers: boolean;
}

/** The value of a parameter by its name in `listParameters`. */
export type Weights = (name: string) => F32;
/** A parameter's gradient, float32: of its shape, or by rows. */
export type Gradient = F32 | RowGradient;
export type TakeGradient = (name: string, gradient: Gradient) => void;

/** A layer's input or output, once for the residual connection and once for the next product. */
export interface Hidden<T extends FloatType> {
  /** float32 [N, H] */
  readonly output: F32;
  /** [N, H] */
  readonly outputLow: Tensor<T>;
}

function headLayout({ headCount, hiddenSize }: BertConfig) {
  return { headCount, headSize: hiddenSize / headCount };
}

/** One layer's weights: matrices for products, vectors in float32. */
function layerWeights<T extends FloatType>({ low }: NetworkSettings<T>, weights: Weights, layer: number) {
  const matrix = (name: string) => cast(weights(`layer${layer}.${name}.weight`), low);
  const vector = (name: string) => weights(`layer${layer}.${name}`);
  return { matrix, vector };
}

/**
 * Attention and feed-forward, each with its residual connection and layer norm.
 *
 * Dimensions: B windows, L tokens, N = B·L, H hidden width, A heads, I inner width.
 */
export function layerForward<T extends FloatType>(
  settings: NetworkSettings<T>,
  weights: Weights,
  layer: number,
  input: Hidden<T>,
  maskBias: F32,
) {
  const { config, hiddenDropout: dropout } = settings;
  const { matrix, vector } = layerWeights(settings, weights, layer);
  const norm = (name: string) => ({ scale: vector(`${name}.scale`), shift: vector(`${name}.shift`) });
  const normSettings = { epsilon: config.layerNormEpsilon, dropout };

  const qkv = linear(input.outputLow, matrix("heads")); // [N, 3·H]
  const heads = splitHeads(qkv, vector("heads.bias"), headLayout(config)); // 3 × [B, A, L, D]
  const dropoutKeys = nextKeys(settings.random, settings.attentionDropout);
  const attended = attention({ ...heads, maskBias, dropoutKeys }, headLayout(config), settings.attentionDropout);
  const mixed = linear(attended.context, matrix("context")); // [N, H]
  const middleKeys = nextKeys(settings.random, dropout);
  const middle = residualNorm(
    {
      residual: input.output,
      product: mixed,
      bias: vector("context.bias"),
      ...norm("attentionNorm"),
      keys: middleKeys,
    },
    normSettings,
  );
  const inner = linear(middle.outputLow, matrix("inner")); // [N, I]
  const activated = activate(inner, vector("inner.bias"), config.activation);
  const outer = linear(activated, matrix("outer")); // [N, H]
  const lastKeys = nextKeys(settings.random, dropout);
  const last = residualNorm(
    { residual: middle.output, product: outer, bias: vector("outer.bias"), ...norm("outputNorm"), keys: lastKeys },
    normSettings,
  );
  const saved = {
    inputLow: input.outputLow,
    attended: { ...heads, ...attended },
    middle: { ...middle, keys: middleKeys, scale: vector("attentionNorm.scale") },
    inner,
    activated,
    last: { ...last, keys: lastKeys, scale: vector("outputNorm.scale") },
  };
  return { output: last.output, outputLow: last.outputLow, saved };
}

export type LayerSaved<T extends FloatType> = ReturnType<typeof layerForward<T>>["saved"];

/** @returns the gradient of the layer's input, in its two parts */
export function layerBackward<T extends FloatType>(
  settings: NetworkSettings<T>,
  weights: Weights,
  layer: number,
  gradient: ResidualNormGradient<T>,
  saved: LayerSaved<T>,
  take: TakeGradient,
): ResidualNormGradient<T> {
  const { config, low, hiddenDropout: dropout } = settings;
  const { matrix, vector } = layerWeights(settings, weights, layer);
  const give = (name: string, value: F32) => take(`layer${layer}.${name}`, value);

  const last = residualNormBackward(gradient, saved.last, dropout, low);
  give("outputNorm.scale", last.scale);
  give("outputNorm.shift", last.shift);
  const outer = linearBackward(last.product, saved.activated, matrix("outer"));
  give("outer.weight", outer.weight);
  give("outer.bias", outer.bias);
  const inner = activateBackward(outer.x, saved.inner, vector("inner.bias"), config.activation);
  const innerProduct = linearBackward(inner, saved.middle.outputLow, matrix("inner"));
  give("inner.weight", innerProduct.weight);
  give("inner.bias", innerProduct.bias);

  const middleGradient = { direct: last.residual, throughSublayer: innerProduct.x };
  const middle = residualNormBackward(middleGradient, saved.middle, dropout, low);
  give("attentionNorm.scale", middle.scale);
  give("attentionNorm.shift", middle.shift);
  const mixed = linearBackward(middle.product, saved.attended.context, matrix("context"));
  give("context.weight", mixed.weight);
  give("context.bias", mixed.bias);
  const heads = attentionBackward(mixed.x, saved.attended, headLayout(config));
  const qkv = splitHeadsBackward([heads.queries, heads.keys, heads.values], headLayout(config));
  const qkvProduct = linearBackward(qkv, saved.inputLow, matrix("heads"));
  give("heads.weight", qkvProduct.weight);
  give("heads.bias", qkvProduct.bias);
  return { direct: middle.residual, throughSublayer: qkvProduct.x };
}

/** The layer again from its input, once the gradient has come down to it. */
export function layerAgain<T extends FloatType>(
  settings: NetworkSettings<T>,
  weights: Weights,
  layer: number,
  input: Hidden<T>,
  maskBias: F32,
  gradient: ResidualNormGradient<T>,
): LayerSaved<T> {
  const after = [gradient.direct];
  const again = { output: delayed(input.output, after), outputLow: delayed(input.outputLow, after) };
  return layerForward(settings, weights, layer, again, maskBias).saved;
}
