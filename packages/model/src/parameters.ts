import { elementCount, type BertConfig, type HostTensor } from "@bertqa/core";

/** One tensor on the device: one of Hugging Face's, or several of one width below each other. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Weight decay applies: not to biases and LayerNorm. */
  readonly decays: boolean;
  /** Hugging Face's tensors whose rows, in this order, are this parameter's. Linear weights are [out, in] in both. */
  readonly parts: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/** Every parameter of a BERT for question answering, in a fixed order. */
export function listParameters(config: BertConfig): Parameter[] {
  const { hiddenSize: width, layerCount } = config;
  const embeddings = "bert.embeddings";
  return [
    matrix("embeddings.words", [config.vocabularySize, width], [`${embeddings}.word_embeddings`]),
    matrix("embeddings.positions", [config.maxPositions, width], [`${embeddings}.position_embeddings`]),
    matrix("embeddings.types", [config.tokenTypeCount, width], [`${embeddings}.token_type_embeddings`]),
    ...norm("embeddings.norm", width, `${embeddings}.LayerNorm`),
    ...Array.from({ length: layerCount }, (_, layer) => layerParameters(config, layer)).flat(),
    ...dense("answer", 2, width, ["qa_outputs"]),
  ];
}

/** Shapes by Hugging Face name, in a fixed order. */
export function expectedShapes(config: BertConfig): Map<string, readonly number[]> {
  const parts = listParameters(config).flatMap((parameter) => parameter.parts);
  return new Map(parts.map(({ name, shape }) => [name, shape]));
}

/** Zeros in the model's shapes, by Hugging Face name. */
export function zeroTensors(config: BertConfig): Map<string, HostTensor> {
  const shapes = [...expectedShapes(config)];
  return new Map(shapes.map(([name, shape]) => [name, { shape, data: new Float32Array(elementCount(shape)) }]));
}

function layerParameters({ hiddenSize: width, intermediateSize }: BertConfig, layer: number): Parameter[] {
  const here = `layer${layer}`;
  const there = `bert.encoder.layer.${layer}`;
  const qkv = ["query", "key", "value"].map((part) => `${there}.attention.self.${part}`);
  return [
    ...dense(`${here}.qkv`, 3 * width, width, qkv),
    ...dense(`${here}.attentionOutput`, width, width, [`${there}.attention.output.dense`]),
    ...norm(`${here}.attentionOutput.norm`, width, `${there}.attention.output.LayerNorm`),
    ...dense(`${here}.intermediate`, intermediateSize, width, [`${there}.intermediate.dense`]),
    ...dense(`${here}.output`, width, intermediateSize, [`${there}.output.dense`]),
    ...norm(`${here}.output.norm`, width, `${there}.output.LayerNorm`),
  ];
}

function matrix(name: string, shape: readonly [number, number], modules: readonly string[]): Parameter {
  const partShape = [shape[0] / modules.length, shape[1]];
  const parts = modules.map((module) => ({ name: `${module}.weight`, shape: partShape }));
  return { name, shape, decays: true, parts };
}

function vector(name: string, width: number, tensors: readonly string[]): Parameter {
  const parts = tensors.map((tensor) => ({ name: tensor, shape: [width / tensors.length] }));
  return { name, shape: [width], decays: false, parts };
}

function dense(name: string, outWidth: number, inWidth: number, modules: readonly string[]): Parameter[] {
  const biases = modules.map((module) => `${module}.bias`);
  return [matrix(`${name}.weight`, [outWidth, inWidth], modules), vector(`${name}.bias`, outWidth, biases)];
}

function norm(name: string, width: number, module: string): Parameter[] {
  return [vector(`${name}.gamma`, width, [`${module}.weight`]), vector(`${name}.beta`, width, [`${module}.bias`])];
}
