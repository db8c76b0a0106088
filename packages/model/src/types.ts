import type { BertConfig, HostTensor } from "@bertqa/core";
import type { Precision } from "@bertqa/engine";

export type { Precision };

/**
 * One batch of windows, all padded to its longest.
 *
 * Dimensions: B windows, L tokens per window.
 */
export interface WindowBatch {
  /** B */
  readonly windowCount: number;
  /** L */
  readonly tokenCount: number;
  /** [B, L] row-major. Padding may hold any valid id. */
  readonly inputIds: Int32Array;
  /** [B, L]; 0 for the question, 1 for the context. */
  readonly tokenTypeIds: Int32Array;
  /** [B, L]; 1 for a real token, 0 for padding. Padding receives exactly zero attention weight. */
  readonly attentionMask: Int32Array;
}

/** A batch with the token position of each window's answer; 0, 0 is the label of "no answer in this window". */
export interface LabelledBatch extends WindowBatch {
  /** [B], each in 0..L-1 */
  readonly startPositions: Int32Array;
  /** [B], each in 0..L-1 */
  readonly endPositions: Int32Array;
  /** Spans that look like an answer and are none, of windows labelled no answer; 0, 0 where there is none. */
  readonly plausibleStartPositions?: Int32Array;
  readonly plausibleEndPositions?: Int32Array;
}

/** How the loss weighs its two parts; see `answerabilityLoss`. */
export interface AnswerabilityOptions {
  /** Weight of the binary loss on the null odds, beside 1 for the span loss. */
  readonly weight: number;
  /** Weight of the span loss on plausible answers, beside 1 on answers; 0 leaves them out. */
  readonly plausibleWeight: number;
}

/** A BERT for question answering: its shape and its weights by Hugging Face name, Linear weights as [out, in]. */
export interface BertCheckpoint {
  readonly config: BertConfig;
  /** Names as in `BertForQuestionAnswering`: `bert.…` and `qa_outputs.…`. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** The parsed `config.json`, kept whole so that an export holds what its source held. */
  readonly rawConfig: Readonly<Record<string, unknown>>;
}

export interface ReadCheckpointOptions {
  /** Seed of a question answering head that the folder does not hold. */
  readonly seed: number;
  /** Stage named in error messages, e.g. "train". */
  readonly stage: string;
  /** Receives the tensors that are left unused (pooler, pre-training heads) and those that were initialised. */
  readonly onReport?: (report: CheckpointReport) => void;
}

export interface CheckpointReport {
  readonly ignored: readonly string[];
  readonly initialised: readonly string[];
}

export interface TrainerOptions {
  readonly precision: Precision;
  /** Seed of every dropout mask. */
  readonly seed: number;
  /** Decoupled weight decay per step, times the learning rate; not applied to biases and LayerNorm. */
  readonly weightDecay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Gradients are scaled down to this global norm. */
  readonly maxGradientNorm: number;
  /** Probability, 0..1, of dropping a hidden unit. */
  readonly hiddenDropout: number;
  /** Probability, 0..1, of dropping an attention weight. */
  readonly attentionDropout: number;
  /** Absent: run_qa's loss, start and end over all positions. */
  readonly answerability?: AnswerabilityOptions | undefined;
  /**
   * R-Drop: a batch holds each window twice, as rows next to each other with other dropout, and the divergence of what the
   * two say, times this, joins the loss. Absent or 0: each window once.
   */
  readonly rDropWeight?: number;
  /** Keep only each layer's input for the backward pass, and compute the layer again there: less memory, more time. */
  readonly recomputeLayers?: boolean;
}

export interface MicroBatchPlace {
  /** Optimizer step, from 0. With `microStep` and the seed it decides the dropout masks. */
  readonly step: number;
  /** Place of this batch among those accumulated for the step, from 0. */
  readonly microStep: number;
  /** Factor of this batch's mean gradient and mean loss, e.g. its share of the step's windows. */
  readonly weight: number;
}

/** Owns the weights, both moments and the gradients on the device. Single-threaded; `dispose` when done. */
export interface Trainer {
  /** Forward and backward: adds weight × gradient of the batch's mean loss to the running gradient. */
  accumulate(batch: LabelledBatch, place: MicroBatchPlace): void;
  /** Clips by global norm, one AdamW step, clears the gradients. */
  applyGradients(learningRate: number): void;
  /**
   * Mean of the steps' losses since the last call; NaN if there was none. The only call that waits for the device.
   */
  takeMeanLoss(): number;
  /** Host copies of the weights. */
  exportCheckpoint(): BertCheckpoint;
  /** Weights, both moments and the step count, for an exact resume. Call it between steps. */
  exportState(): Map<string, HostTensor>;
  /** @throws BertqaError naming every missing, unexpected and misshapen tensor. */
  importState(state: ReadonlyMap<string, HostTensor>): void;
  dispose(): void;
}

export interface PredictorOptions {
  readonly precision: Precision;
}

/** Owns the weights on the device; `dispose` when done. */
export interface Predictor {
  /** A shape [B, L] that is new to it costs time: batches of few shapes are faster. */
  readonly compilesShapes: boolean;
  /** Logits [B, L] row-major, float32. Those of padding tokens are meaningless. */
  predict(batch: WindowBatch): { readonly startLogits: Float32Array; readonly endLogits: Float32Array };
  dispose(): void;
}
