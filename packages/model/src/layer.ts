import type { BertConfig } from "@bertqa/core";
import { cast, delayed, type FloatType, type Tensor } from "@bertqa/engine";
import { projectedAttention, projectedAttentionBackward } from "./blocks/attention.ts";
import { nextKeys, type DropoutSource } from "./blocks/dropout.ts";
import type { RowGradient } from "./blocks/embedding.ts";
import { activate, activateBackward } from "./blocks/feed-forward.ts";
import { linear, linearBackward, linearInputGradient, linearParameterGradients } from "./blocks/linear.ts";
import { residualNorm, residualNormBackward, type ResidualNormGradient } from "./blocks/residual-norm.ts";

type F32 = Tensor<"float32">;

/** What every part of the network needs to know. */
export interface NetworkSettings<T extends FloatType> {
  readonly config: BertConfig;
  /** Type of the operands of matrix products. */
  readonly computeDtype: T;
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
export type GradientSink = (name: string, gradient: Gradient) => void;

/** A layer's input or output: for the residual connection, and as operand of the next product. */
export interface Hidden<T extends FloatType> {
  /** float32 [N, H] */
  readonly output: F32;
  /** `output` in the compute dtype, [N, H] */
  readonly operand: Tensor<T>;
}

function attentionSettings<T extends FloatType>({ config, attentionDropout, random }: NetworkSettings<T>) {
  const { headCount, hiddenSize } = config;
  return { headCount, headSize: hiddenSize / headCount, dropout: attentionDropout, training: random !== undefined };
}

/** One layer's weights: matrices for products, vectors in float32. */
function layerWeights<T extends FloatType>({ computeDtype }: NetworkSettings<T>, weights: Weights, layer: number) {
  const matrix = (name: string) => cast(weights(`layer${layer}.${name}.weight`), computeDtype);
  const vector = (name: string) => weights(`layer${layer}.${name}`);
  return { matrix, vector };
}

/**
 * Attention and feed-forward, each with its residual connection and layer norm.
 *
 * Dimensions: B windows, L tokens, N = B·L, H hidden width, A heads, I intermediate width.
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
  const norm = (name: string) => ({ gamma: vector(`${name}.gamma`), beta: vector(`${name}.beta`) });
  const training = settings.random !== undefined;
  const normSettings = { epsilon: config.layerNormEpsilon, dropout, training };

  const qkv = linear(input.operand, matrix("qkv")); // [N, 3·H]
  const dropoutKeys = nextKeys(settings.random, settings.attentionDropout);
  const attended = projectedAttention(
    { product: qkv, bias: vector("qkv.bias"), maskBias, dropoutKeys },
    attentionSettings(settings),
  );
  const attentionOutput = linear(attended.context, matrix("attentionOutput")); // [N, H]
  const middleKeys = nextKeys(settings.random, dropout);
  const middle = residualNorm(
    {
      residual: input.output,
      product: attentionOutput,
      bias: vector("attentionOutput.bias"),
      ...norm("attentionOutput.norm"),
      keys: middleKeys,
    },
    normSettings,
  );
  const intermediate = linear(middle.operand, matrix("intermediate")); // [N, I]
  const activated = activate(intermediate, vector("intermediate.bias"), { activation: config.activation, training });
  const output = linear(activated, matrix("output")); // [N, H]
  const lastKeys = nextKeys(settings.random, dropout);
  const last = residualNorm(
    { residual: middle.output, product: output, bias: vector("output.bias"), ...norm("output.norm"), keys: lastKeys },
    normSettings,
  );
  const saved = {
    inputOperand: input.operand,
    attended,
    middle: { ...middle, keys: middleKeys, gamma: vector("attentionOutput.norm.gamma") },
    intermediate,
    activated,
    last: { ...last, keys: lastKeys, gamma: vector("output.norm.gamma") },
  };
  return { output: last.output, operand: last.operand, saved };
}

export type LayerSaved<T extends FloatType> = ReturnType<typeof layerForward<T>>["saved"];

/** @returns the gradient of the layer's input, in its two parts */
export function layerBackward<T extends FloatType>(
  settings: NetworkSettings<T>,
  weights: Weights,
  layer: number,
  gradient: ResidualNormGradient<T>,
  saved: LayerSaved<T>,
  addGradient: GradientSink,
): ResidualNormGradient<T> {
  const { config, computeDtype, hiddenDropout: dropout } = settings;
  const { matrix, vector } = layerWeights(settings, weights, layer);
  const add = (name: string, value: F32) => addGradient(`layer${layer}.${name}`, value);

  const last = residualNormBackward(gradient, saved.last, dropout, computeDtype);
  add("output.norm.gamma", last.gamma);
  add("output.norm.beta", last.beta);
  const activation = activateBackward(
    linearInputGradient(last.product, matrix("output")),
    { product: saved.intermediate, bias: vector("intermediate.bias"), output: saved.activated },
    config.activation,
  );
  const output = linearParameterGradients(last.product, activation.output);
  add("output.weight", output.weight);
  add("output.bias", output.bias);
  const intermediate = linearBackward(activation.product, saved.middle.operand, matrix("intermediate"));
  add("intermediate.weight", intermediate.weight);
  add("intermediate.bias", intermediate.bias);

  const middleGradient = { direct: last.residual, throughSublayer: intermediate.x };
  const middle = residualNormBackward(middleGradient, saved.middle, dropout, computeDtype);
  add("attentionOutput.norm.gamma", middle.gamma);
  add("attentionOutput.norm.beta", middle.beta);
  const attentionOutput = linearBackward(middle.product, saved.attended.context, matrix("attentionOutput"));
  add("attentionOutput.weight", attentionOutput.weight);
  add("attentionOutput.bias", attentionOutput.bias);
  const product = projectedAttentionBackward(attentionOutput.x, saved.attended.saved, attentionSettings(settings));
  const qkv = linearBackward(product, saved.inputOperand, matrix("qkv"));
  add("qkv.weight", qkv.weight);
  add("qkv.bias", qkv.bias);
  return { direct: middle.residual, throughSublayer: qkv.x };
}

/** The layer's forward pass again from its input, once the gradient has come down to it. */
export function recomputeLayer<T extends FloatType>(
  settings: NetworkSettings<T>,
  weights: Weights,
  layer: number,
  input: Hidden<T>,
  maskBias: F32,
  gradient: ResidualNormGradient<T>,
): LayerSaved<T> {
  const after = [gradient.direct];
  const kept = { output: delayed(input.output, after), operand: delayed(input.operand, after) };
  return layerForward(settings, weights, layer, kept, maskBias).saved;
}
