import {
  addAll,
  afterAll,
  assign,
  assignAdd,
  concatenate,
  Graph,
  multiply,
  placeholder,
  read,
  scalar,
  scale,
  Session,
  sumRowsByIndex,
  variable,
  type GraphOptions,
  type Precision,
  type Tensor,
} from "@bertqa/engine";
import { seedOfStream, type BertConfig, type HostTensor } from "@bertqa/core";
import { AdamW } from "./adamw.ts";
import { answerabilityLoss, answerBackward, answerLogits, answerLoss } from "./blocks/answer-head.ts";
import { checkTensors } from "./checkpoint.ts";
import type { RowGradient } from "./blocks/embedding.ts";
import {
  batchPlaceholders,
  feedBatch,
  feedLabels,
  feedSpans,
  graphOptionsFor,
  shardCountFor,
  shardName,
  type BatchPlaceholders,
  type ModelEngine,
  type ShardPlaceholders,
} from "./feeds.ts";
import type { Gradient, NetworkSettings, Weights } from "./layer.ts";
import { backward, forward } from "./network.ts";
import { expectedShapes, listParameters, zeroTensors } from "./parameters.ts";
import { StoredTensors } from "./stored-weights.ts";
import type { BertCheckpoint, LabelledBatch, MicroBatchPlace, Trainer, TrainerOptions } from "./types.ts";

const STEP_COUNT = "optimizer.step_count";
const FIRST_MOMENT = "optimizer.first_moment.";
const SECOND_MOMENT = "optimizer.second_moment.";
const memoryRemedy =
  "Free some memory, or need less: in train.json, set microBatchWindows to fewer windows, or recomputeLayers to true";

/**
 * A training step as two runs of one graph: forward and backward, then the optimizer. Weights, moments and gradients stay
 * on the device.
 *
 * @throws BertqaError if the graph cannot be written for TensorFlow to load, or memory runs out
 */
export function createTrainer(engine: ModelEngine, checkpoint: BertCheckpoint, options: TrainerOptions): Trainer {
  return new GraphTrainer(engine, checkpoint, options);
}

class GraphTrainer implements Trainer {
  private readonly checkpoint: BertCheckpoint;
  private readonly options: TrainerOptions;
  private readonly program: TrainingProgram;
  private readonly session: Session;
  private stepCount = 0;
  private hasGradients = false;
  private stepsSinceLoss = 0;

  constructor(engine: ModelEngine, checkpoint: BertCheckpoint, options: TrainerOptions) {
    this.checkpoint = checkpoint;
    this.options = options;
    this.program = buildTrainingProgram(checkpoint.config, options, {
      ...graphOptionsFor(engine, options.precision),
      shardCount: shardCountFor(engine.device),
    });
    this.session = new Session(engine.binding, this.program.graph, memoryRemedy);
    this.program.weights.load(this.session, checkpoint.tensors);
    const zeros = zeroTensors(checkpoint.config);
    this.program.firstMoments.load(this.session, zeros);
    this.program.secondMoments.load(this.session, zeros);
    this.session.run([this.program.clearLoss]);
  }

  accumulate(batch: LabelledBatch, place: MicroBatchPlace): void {
    const { program } = this;
    const { config } = this.checkpoint;
    const { feeds, lengths, shardCount } = feedBatch(program.inputs, batch, config);
    feedLabels(feeds, program.inputs, batch, config);
    if (this.options.answerability) feedSpans(feeds, program.inputs, batch, this.options.answerability);
    const windowWeight = Float32Array.of(place.weight / batch.windowCount);
    feeds.set(program.windowWeight, { dtype: "float32", shape: [], data: windowWeight });
    feeds.set(program.seed, { dtype: "int32", shape: [2], data: dropoutSeed(this.options.seed, place) });
    const { set, add } = program.gradientsOf[shardCount - 1]!;
    this.session.run([this.hasGradients ? add : set], { feeds, lengths });
    this.hasGradients = true;
  }

  applyGradients(learningRate: number): void {
    if (!this.hasGradients) throw new Error("applyGradients needs an accumulate before it");
    const { optimizer } = this.program;
    this.session.run([optimizer.step], { feeds: optimizer.feeds(learningRate, this.stepCount + 1) });
    this.stepCount += 1;
    this.stepsSinceLoss += 1;
    this.hasGradients = false;
  }

  takeMeanLoss(): number {
    const [total] = this.session.run([this.program.lossSum]);
    this.session.run([this.program.clearLoss]);
    const mean = total.data[0]! / this.stepsSinceLoss;
    this.stepsSinceLoss = 0;
    return mean;
  }

  exportCheckpoint(): BertCheckpoint {
    const { config, rawConfig } = this.checkpoint;
    return { config, rawConfig, tensors: this.program.weights.fetch(this.session) };
  }

  exportState(): Map<string, HostTensor> {
    const { weights, firstMoments, secondMoments } = this.program;
    const state = weights.fetch(this.session);
    for (const [name, tensor] of firstMoments.fetch(this.session)) state.set(FIRST_MOMENT + name, tensor);
    for (const [name, tensor] of secondMoments.fetch(this.session)) state.set(SECOND_MOMENT + name, tensor);
    return state.set(STEP_COUNT, { shape: [1], data: Float32Array.of(this.stepCount) });
  }

  importState(state: ReadonlyMap<string, HostTensor>): void {
    const { weights, firstMoments, secondMoments } = this.program;
    const shapes = [...expectedShapes(this.checkpoint.config)];
    const expected = new Map<string, readonly number[]>([
      ...["", FIRST_MOMENT, SECOND_MOMENT].flatMap((prefix) =>
        shapes.map(([name, shape]) => [prefix + name, shape] as const),
      ),
      [STEP_COUNT, [1]],
    ]);
    checkTensors(state, expected, { stage: "model", what: "the training state does not fit the model" });
    weights.load(this.session, state);
    firstMoments.load(this.session, withPrefix(state, FIRST_MOMENT));
    secondMoments.load(this.session, withPrefix(state, SECOND_MOMENT));
    this.stepCount = state.get(STEP_COUNT)!.data[0]!;
    this.hasGradients = false;
  }

  dispose(): void {
    this.session.dispose();
  }
}

export interface TrainingProgram {
  readonly graph: Graph;
  readonly inputs: BatchPlaceholders;
  /** float32 scalar: factor of the loss and gradients of each window of this batch */
  readonly windowWeight: Tensor<"float32">;
  /** int32 [2] */
  readonly seed: Tensor<"int32">;
  readonly weights: StoredTensors;
  readonly firstMoments: StoredTensors;
  readonly secondMoments: StoredTensors;
  readonly gradients: StoredTensors;
  /** Forward and backward of the first shard, the first two, …; the gradients replace those there are or are added. */
  readonly gradientsOf: readonly { readonly set: Tensor; readonly add: Tensor }[];
  readonly optimizer: AdamW;
  readonly lossSum: Tensor<"float32">;
  readonly clearLoss: Tensor;
  /** For tests: each shard's hidden states, the embedding's first. */
  readonly hiddens: readonly (readonly Tensor<"float32">[])[];
}

/**
 * The graph of a training step, with the tensors to feed and fetch.
 *
 * @param shardCount shards of a batch that the graph computes side by side
 */
export function buildTrainingProgram(
  config: BertConfig,
  options: TrainerOptions,
  { shardCount, ...graphOptions }: GraphOptions & { readonly shardCount: number },
): TrainingProgram {
  const graph = new Graph(graphOptions);
  const parameters = listParameters(config);
  const weights = new StoredTensors(graph, "weight", parameters);
  const firstMoments = new StoredTensors(graph, "firstMoment", parameters);
  const secondMoments = new StoredTensors(graph, "secondMoment", parameters);
  const gradients = new StoredTensors(graph, "gradient", parameters);
  const inputs = batchPlaceholders(graph, shardCount, options.rDropWeight ? 2 : 1);
  const windowWeight = placeholder(graph, "float32");
  const seed = placeholder(graph, "int32");
  const settings = {
    config,
    computeDtype: options.precision,
    hiddenDropout: options.hiddenDropout,
    attentionDropout: options.attentionDropout,
    random: { seed, nextDropout: 0 },
    recomputeLayers: options.recomputeLayers ?? false,
  };
  const value = (name: string) => weights.value(name);
  const factor = scale(windowWeight, 0.5);
  const shards = inputs.shards.map((shard, index) =>
    graph.withOwnLengths(shardName(index), () => buildShard(settings, value, { ...inputs, ...shard }, factor, options)),
  );

  const lossVariable = variable(graph, "lossSum", []);
  const gradientsOf = shards.map((_, last) => {
    const first = shards.slice(0, last + 1);
    const sums = parameters.map(({ name }) => ({
      stored: gradients.variable(name),
      sum: sumGradients(first.map((shard) => shard.gradients.get(name)!)),
    }));
    const countLoss = assignAdd(lossVariable, multiply(addAll(first.map(({ loss }) => loss)), windowWeight));
    return {
      set: afterAll(graph, [...sums.map(({ stored, sum }) => assign(stored, sum)), countLoss]),
      add: afterAll(graph, [...sums.map(({ stored, sum }) => assignAdd(stored, sum)), countLoss]),
    };
  });
  return {
    graph,
    inputs,
    windowWeight,
    seed,
    weights,
    firstMoments,
    secondMoments,
    gradients,
    gradientsOf,
    optimizer: new AdamW(graph, { weights, firstMoments, secondMoments, gradients }, options),
    lossSum: read(lossVariable),
    clearLoss: afterAll(graph, [assign(lossVariable, scalar(graph, 0))]),
    hiddens: shards.map(({ hiddens }) => hiddens),
  };
}

/** Forward and backward of some windows. @param factor float32 scalar: half the weight of a window */
function buildShard(
  settings: NetworkSettings<Precision>,
  value: Weights,
  inputs: ShardPlaceholders & Pick<BatchPlaceholders, "tokenCount" | "logitBias">,
  factor: Tensor<"float32">,
  { answerability, rDropWeight }: TrainerOptions,
) {
  const passed = forward(settings, value, inputs);
  const head = { weight: value("answer.weight"), bias: value("answer.bias") };
  const logits = answerLogits(passed.last.output, head);
  const { tokenCount } = inputs;
  const outcome = answerability
    ? answerabilityLoss(logits, { ...inputs.spans, tokenCount }, answerability.weight, rDropWeight)
    : answerLoss(logits, { ...inputs.labels, ...inputs }, rDropWeight);
  const answer = answerBackward(outcome, passed.last.output, head, factor);
  const gradients = new Map<string, Gradient>([
    ["answer.weight", answer.weight],
    ["answer.bias", answer.bias],
  ]);
  backward(settings, value, inputs, passed, answer.hidden, (name, gradient) => gradients.set(name, gradient));
  return { loss: outcome.loss, gradients, hiddens: passed.hiddens.map(({ output }) => output) };
}

/** The sum of one parameter's gradients, of its shape. Those by rows are joined first: one pass over the table. */
function sumGradients(gradients: readonly Gradient[]): Tensor<"float32"> {
  const byRow = gradients.filter((gradient) => "rows" in gradient);
  if (byRow.length === 0) return addAll(gradients as readonly Tensor<"float32">[]);
  const [{ rowCount }] = byRow as [RowGradient];
  const rows = byRow.map((gradient) => gradient.rows);
  const indices = byRow.map((gradient) => gradient.indices);
  // TensorFlow joins two or more.
  if (rows.length === 1) return sumRowsByIndex(rows[0]!, indices[0]!, rowCount);
  return sumRowsByIndex(concatenate(rows, 0), concatenate(indices, 0), rowCount);
}

/** int32 [2], others for each micro-batch; each dropout adds its index to the first. */
function dropoutSeed(seed: number, { step, microStep }: MicroBatchPlace): Int32Array {
  return Int32Array.of(seedOfStream(seed, "dropout", microStep), step);
}

function withPrefix(state: ReadonlyMap<string, HostTensor>, prefix: string): Map<string, HostTensor> {
  const chosen = [...state].filter(([name]) => name.startsWith(prefix));
  return new Map(chosen.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
