import { BertqaError, type BertConfig, type HostTensor } from "@bertqa/core";
import { FLOAT, OnnxGraph, type Value } from "./graph.ts";
import { quantizeRows } from "./quantize.ts";

export type OnnxPrecision = "float32" | "int8";

/** What the network is built from, and where. */
interface Build {
  readonly graph: OnnxGraph;
  readonly config: BertConfig;
  readonly precision: OnnxPrecision;
  /** A tensor of the checkpoint by its Hugging Face name. @throws BertqaError unless it has this shape */
  readonly weight: (name: string, shape: readonly number[]) => Float32Array;
  /** The int8 weights stored so far, by the name of their Linear. */
  readonly kernels: Map<string, Kernel>;
}

interface Kernel {
  readonly kernel: Value;
  readonly scales: Value;
}

/** Added to the score of padding: exp of it is 0 in float32. */
const MASKED_SCORE = -10_000;

/**
 * BERT for question answering as an ONNX model, in the standard's own operators and in the patterns that ONNX Runtime
 * fuses when it loads (BiasGelu, FusedMatMul, DynamicQuantizeMatMul).
 *
 * Dimensions: B windows, L tokens per window, both free. Inputs int64 [B, L]: `input_ids`, `attention_mask`,
 * `token_type_ids`; outputs float32 [B, L]: `start_logits`, `end_logits`, meaningless at padding.
 *
 * With int8, the word table and the matrices of the layers are stored in 7 bits; activations are quantized as they
 * come, one scale for each tensor. In the feed-forward part the first token has a scale of its own: see
 * {@link feedForwardApart}. Scores of attention, softmax, LayerNorm and the answer head stay float32.
 *
 * @param tensors float32 by the names of `BertForQuestionAnswering`, Linear weights [out, in]
 * @throws BertqaError if a tensor is missing or misshapen; RangeError above 2 GiB
 */
export function bertToOnnx(
  config: BertConfig,
  tensors: ReadonlyMap<string, HostTensor>,
  precision: OnnxPrecision,
): Uint8Array {
  const graph = new OnnxGraph();
  const build: Build = { graph, config, precision, weight: weightReader(tensors), kernels: new Map() };
  const input = (name: string) => graph.input(name, "int64", ["batch", "tokens"]);
  const inputs = { ids: input("input_ids"), mask: input("attention_mask"), types: input("token_type_ids") };
  const maskScores = scoresOfMask(build, inputs.mask);
  let hidden = embeddings(build, inputs.ids, inputs.types);
  for (let layer = 0; layer < config.layerCount; layer += 1) {
    hidden = encoderLayer(build, `bert.encoder.layer.${layer}`, hidden, maskScores);
  }
  const logits = floatLinear(build, "qa_outputs", hidden, config.hiddenSize, 2); // [B, L, 2]
  const [start, end] = graph.nodes("Split", [logits], 2, { axis: -1n, num_outputs: 2n }) as [Value, Value];
  const lastAxis = graph.int64(-1);
  graph.output("start_logits", ["batch", "tokens"], "Squeeze", [start, lastAxis]);
  graph.output("end_logits", ["batch", "tokens"], "Squeeze", [end, lastAxis]);
  return graph.toBytes("bert-for-question-answering");
}

function weightReader(tensors: ReadonlyMap<string, HostTensor>): Build["weight"] {
  return (name, shape) => {
    const tensor = tensors.get(name);
    const expected = `[${shape.join(", ")}]`;
    if (!tensor) throw new BertqaError("export", `the model lacks ${name} ${expected}`);
    if (tensor.shape.join() !== shape.join()) {
      throw new BertqaError("export", `${name}: got [${tensor.shape.join(", ")}], config.json makes it ${expected}`);
    }
    return tensor.data;
  };
}

/** @returns float32 [B, 1, 1, L]; 0 for a real token */
function scoresOfMask({ graph }: Build, mask: Value): Value {
  const real = graph.node("Cast", [graph.node("Unsqueeze", [mask, graph.int64(1, 2)])], { to: FLOAT });
  return graph.node("Mul", [graph.node("Sub", [graph.float(1), real]), graph.float(MASKED_SCORE)]);
}

/** @returns float32 [B, L, H] */
function embeddings(build: Build, ids: Value, types: Value): Value {
  const { graph, config, weight } = build;
  const width = config.hiddenSize;
  const table = (name: string, rows: number) => {
    const full = `bert.embeddings.${name}.weight`;
    return graph.float32(full, [rows, width], weight(full, [rows, width]));
  };
  const zero = graph.int64(0);
  const tokenCount = graph.node("Shape", [ids], { start: 1n });
  const positions = graph.node("Slice", [table("position_embeddings", config.maxPositions), zero, tokenCount, zero]); // [L, H]
  const typesOfTokens = graph.node("Gather", [table("token_type_embeddings", config.tokenTypeCount), types]);
  const sum = graph.node("Add", [graph.node("Add", [wordEmbeddings(build, ids), typesOfTokens]), positions]);
  return layerNorm(build, "bert.embeddings.LayerNorm", sum);
}

/** The largest table: in int8 with a scale for each word. */
function wordEmbeddings({ graph, config, precision, weight }: Build, ids: Value): Value {
  const name = "bert.embeddings.word_embeddings.weight";
  const shape = [config.vocabularySize, config.hiddenSize];
  const words = weight(name, shape);
  if (precision === "float32") return graph.node("Gather", [graph.float32(name, shape, words), ids]);
  const { data, scales } = quantizeRows(words, config.hiddenSize);
  const rows = graph.node("Gather", [graph.int8(name, shape, data), ids]);
  const scalesOfRows = graph.node("Gather", [graph.float32(`${name}.scales`, [config.vocabularySize, 1], scales), ids]);
  return graph.node("Mul", [graph.node("Cast", [rows], { to: FLOAT }), scalesOfRows]);
}

function encoderLayer(build: Build, name: string, hidden: Value, maskScores: Value): Value {
  const { graph, config, precision } = build;
  const { hiddenSize } = config;
  const context = attention(build, `${name}.attention.self`, hidden, maskScores);
  const attended = linear(build, `${name}.attention.output.dense`, quantized(build, context), hiddenSize, hiddenSize);
  const middle = layerNorm(build, `${name}.attention.output.LayerNorm`, graph.node("Add", [attended, hidden]));
  return precision === "int8" ? feedForwardApart(build, name, middle) : feedForward(build, name, middle);
}

/**
 * The feed-forward part of [CLS], then that of the other tokens. One channel of [CLS] is up to five times as large as any
 * other value there: with one scale for all, it would leave the others a fifth of the 256 steps.
 */
function feedForwardApart(build: Build, name: string, middle: Value): Value {
  const { graph } = build;
  const [start, second, end, axis] = [graph.int64(0), graph.int64(1), graph.int64(2 ** 31 - 1), graph.int64(1)];
  const first = graph.node("Slice", [middle, start, second, axis]); // [B, 1, H]
  const others = graph.node("Slice", [middle, second, end, axis]); // [B, L − 1, H]
  const parts = [feedForward(build, name, first), feedForward(build, name, others)];
  return graph.node("Concat", parts, { axis: 1n });
}

/** @returns float32 in the shape of `middle`: LayerNorm(middle + Linear(Gelu(Linear(middle)))) */
function feedForward(build: Build, name: string, middle: Value): Value {
  const { graph, config } = build;
  const { hiddenSize, intermediateSize, activation } = config;
  const inner = linear(build, `${name}.intermediate.dense`, quantized(build, middle), hiddenSize, intermediateSize);
  const active = graph.node("Gelu", [inner], { approximate: activation === "gelu" ? "none" : "tanh" });
  const outer = linear(build, `${name}.output.dense`, quantized(build, active), intermediateSize, hiddenSize);
  return layerNorm(build, `${name}.output.LayerNorm`, graph.node("Add", [outer, middle]));
}

/** @returns float32 [B, L, H]: softmax(query · keyᵀ / √(head width) + mask) · value, heads side by side */
function attention(build: Build, name: string, hidden: Value, maskScores: Value): Value {
  const { graph, config } = build;
  const { hiddenSize, headCount } = config;
  const headWidth = hiddenSize / headCount;
  const input = quantized(build, hidden); // once for all three
  const heads = (part: string, perm: readonly bigint[]) => {
    const projected = linear(build, `${name}.${part}`, input, hiddenSize, hiddenSize);
    return graph.node("Transpose", [graph.node("Reshape", [projected, graph.int64(0, 0, headCount, headWidth)])], {
      perm,
    });
  };
  const [tokensFirst, tokensLast] = [
    [0n, 2n, 1n, 3n],
    [0n, 2n, 3n, 1n],
  ] as const;
  const products = graph.node("MatMul", [heads("query", tokensFirst), heads("key", tokensLast)]); // [B, heads, L, L]
  const scores = graph.node("Add", [graph.node("Div", [products, graph.float(Math.sqrt(headWidth))]), maskScores]);
  const shares = graph.node("Softmax", [scores], { axis: -1n });
  const context = graph.node("MatMul", [shares, heads("value", tokensFirst)]); // [B, heads, L, head width]
  return graph.node("Reshape", [
    graph.node("Transpose", [context], { perm: tokensFirst }),
    graph.int64(0, 0, hiddenSize),
  ]);
}

function layerNorm({ graph, config, weight }: Build, name: string, input: Value): Value {
  const vector = (part: string) => {
    const full = `${name}.${part}`;
    return graph.float32(full, [config.hiddenSize], weight(full, [config.hiddenSize]));
  };
  return graph.node("LayerNormalization", [input, vector("weight"), vector("bias")], {
    axis: -1n,
    epsilon: config.layerNormEpsilon,
  });
}

/** The input of a product as the precision has it. */
type LinearInput =
  | { readonly kind: "float32"; readonly value: Value }
  | { readonly kind: "int8"; readonly value: Value; readonly scale: Value; readonly zeroPoint: Value };

function quantized({ graph, precision }: Build, input: Value): LinearInput {
  if (precision === "float32") return { kind: "float32", value: input };
  const [value, scale, zeroPoint] = graph.nodes("DynamicQuantizeLinear", [input], 3) as [Value, Value, Value];
  return { kind: "int8", value, scale, zeroPoint };
}

/** input [B, L, in] · weightᵀ + bias → float32 [B, L, out] */
function linear(build: Build, name: string, input: LinearInput, inWidth: number, outWidth: number): Value {
  if (input.kind === "float32") return floatLinear(build, name, input.value, inWidth, outWidth);
  const { graph } = build;
  const { kernel, scales } = storedKernel(build, name, inWidth, outWidth);
  const products = graph.node("MatMulInteger", [input.value, kernel, input.zeroPoint]);
  const scale = graph.node("Mul", [input.scale, scales]);
  const scaled = graph.node("Mul", [graph.node("Cast", [products], { to: FLOAT }), scale]);
  return graph.node("Add", [scaled, biasOf(build, name, outWidth)]);
}

/** The int8 weights of a Linear, [in, out], and the scale of each output; quantized once, however often they are used. */
function storedKernel({ graph, kernels, weight }: Build, name: string, inWidth: number, outWidth: number): Kernel {
  let stored = kernels.get(name);
  if (!stored) {
    const { data, scales } = quantizeRows(weight(`${name}.weight`, [outWidth, inWidth]), inWidth);
    const columns = transposed(data, new Int8Array(data.length), inWidth);
    stored = {
      kernel: graph.int8(`${name}.kernel`, [inWidth, outWidth], columns),
      scales: graph.float32(`${name}.scales`, [outWidth], scales),
    };
    kernels.set(name, stored);
  }
  return stored;
}

function floatLinear(build: Build, name: string, input: Value, inWidth: number, outWidth: number): Value {
  const { graph } = build;
  const weight = build.weight(`${name}.weight`, [outWidth, inWidth]);
  const kernel = transposed(weight, new Float32Array(weight.length), inWidth);
  const stored = graph.float32(`${name}.kernel`, [inWidth, outWidth], kernel);
  return graph.node("Add", [graph.node("MatMul", [input, stored]), biasOf(build, name, outWidth)]);
}

function biasOf({ graph, weight }: Build, name: string, outWidth: number): Value {
  return graph.float32(`${name}.bias`, [outWidth], weight(`${name}.bias`, [outWidth]));
}

/** Hugging Face's [out, in] as MatMul takes it: [in, out]. */
function transposed<T extends Float32Array | Int8Array>(source: T, target: T, inWidth: number): T {
  const outWidth = source.length / inWidth;
  for (let i = 0; i < inWidth; i += 1) {
    for (let out = 0; out < outWidth; out += 1) target[i * outWidth + out] = source[out * inWidth + i]!;
  }
  return target;
}
