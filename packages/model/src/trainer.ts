import {
  add,
  afterAll,
  assign,
  assignAdd,
  divide,
  Graph,
  multiply,
  placeholder,
  read,
  scalar,
  scale,
  Session,
  variable,
  type Engine,
  type Tensor,
} from "@bertqa/engine";
import { AdamW } from "./adamw.ts";
import { answerBackward, answerLogits, answerLoss } from "./blocks/answer-head.ts";
import { checkTensors, expectedShapes } from "./checkpoint.ts";
import { batchPlaceholders, feedBatch, feedLabels, type BatchPlaceholders, type LabelPlaceholders } from "./feeds.ts";
import { backward, forward } from "./network.ts";
import { listParameters } from "./parameters.ts";
import { StoredTensors } from "./stored-weights.ts";
import type {
  BertCheckpoint,
  BertConfig,
  HostTensor,
  LabelledBatch,
  MicroBatchPlace,
  Trainer,
  TrainerOptions,
} from "./types.ts";

const STEP_COUNT = "optimizer.step_count";
const FIRST_MOMENT = "optimizer.first_moment.";
const SECOND_MOMENT = "optimizer.second_moment.";

/**
 * A training step as two graphs runs: forward and backward, then the optimizer. Weights, moments and gradients stay on
 * the device.
 *
 * @throws BertqaError if TensorFlow cannot load the graph
 */
export function createTrainer(
  engine: Pick<Engine, "binding">,
  checkpoint: BertCheckpoint,
  options: TrainerOptions,
): Trainer {
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

  constructor(engine: Pick<Engine, "binding">, checkpoint: BertCheckpoint, options: TrainerOptions) {
    this.checkpoint = checkpoint;
    this.options = options;
    this.program = buildTrainingProgram(checkpoint.config, options);
    this.session = new Session(engine.binding, this.program.graph);
    this.program.weights.load(this.session, checkpoint.tensors);
    const zeros = zerosLike(checkpoint.config);
    this.program.firstMoments.load(this.session, zeros);
    this.program.secondMoments.load(this.session, zeros);
    this.session.run([this.program.clearLoss]);
  }

  accumulate(batch: LabelledBatch, place: MicroBatchPlace): void {
    const { program } = this;
    const { config } = this.checkpoint;
    const { feeds, lengths } = feedBatch(program.inputs, batch, config);
    feedLabels(feeds, program.inputs, batch, config);
    feeds.set(program.weight, { dtype: "float32", shape: [], data: Float32Array.of(place.weight) });
    feeds.set(program.seed, { dtype: "int32", shape: [2], data: dropoutSeed(this.options.seed, place) });
    const target = this.hasGradients ? program.addGradients : program.setGradients;
    this.session.run([target], { feeds, lengths });
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
    const mean = total!.data[0]! / this.stepsSinceLoss;
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
  readonly inputs: BatchPlaceholders & { readonly labels: LabelPlaceholders };
  /** float32 scalar: factor of this batch's loss and gradients */
  readonly weight: Tensor<"float32">;
  /** int32 [2] */
  readonly seed: Tensor<"int32">;
  readonly weights: StoredTensors;
  readonly firstMoments: StoredTensors;
  readonly secondMoments: StoredTensors;
  readonly gradients: StoredTensors;
  /** Forward and backward; the gradients replace or join those there are. */
  readonly setGradients: Tensor;
  readonly addGradients: Tensor;
  readonly optimizer: AdamW;
  readonly lossSum: Tensor<"float32">;
  readonly clearLoss: Tensor;
  /** For tests: hidden states and logits of the same forward pass. */
  readonly hiddens: readonly Tensor<"float32">[];
  readonly logits: { readonly start: Tensor<"float32">; readonly end: Tensor<"float32"> };
}

export function buildTrainingProgram(
  config: BertConfig,
  options: TrainerOptions,
  { compileClusters = true } = {},
): TrainingProgram {
  const graph = new Graph({ compileClusters });
  const parameters = listParameters(config);
  const weights = new StoredTensors(graph, "weight", parameters);
  const firstMoments = new StoredTensors(graph, "firstMoment", parameters);
  const secondMoments = new StoredTensors(graph, "secondMoment", parameters);
  const gradients = new StoredTensors(graph, "gradient", parameters);
  const labels = { start: placeholder(graph, "int32"), end: placeholder(graph, "int32") };
  const inputs = { ...batchPlaceholders(graph), labels };
  const weight = placeholder(graph, "float32");
  const seed = placeholder(graph, "int32");
  const settings = {
    config,
    low: options.precision,
    hiddenDropout: options.hiddenDropout,
    attentionDropout: options.attentionDropout,
    random: { seed, nextSite: 0 },
    recomputeLayers: options.recomputeLayers ?? false,
  };
  const value = (name: string) => weights.value(name);
  const passed = forward(settings, value, inputs);
  const head = { weight: value("answer.weight"), bias: value("answer.bias") };
  const logits = answerLogits(passed.last.output, head);
  const outcome = answerLoss(logits, { ...labels, ...inputs });
  const effects = { set: [] as Tensor[], add: [] as Tensor[] };
  const take = (name: string, gradient: Tensor<"float32">) => {
    effects.set.push(assign(gradients.variable(name), gradient));
    effects.add.push(assignAdd(gradients.variable(name), gradient));
  };
  const factor = scale(divide(weight, inputs.windowCount), 0.5);
  const answer = answerBackward(outcome, passed.last.output, head, factor);
  take("answer.weight", answer.weight);
  take("answer.bias", answer.bias);
  backward(settings, value, inputs, passed, answer.hidden, take);

  const lossVariable = variable(graph, "lossSum", []);
  const countLoss = assignAdd(lossVariable, multiply(outcome.loss, weight));
  return {
    graph,
    inputs,
    weight,
    seed,
    weights,
    firstMoments,
    secondMoments,
    gradients,
    setGradients: afterAll(graph, [...effects.set, countLoss]),
    addGradients: afterAll(graph, [...effects.add, countLoss]),
    optimizer: new AdamW(graph, { weights, firstMoments, secondMoments, gradients }, options),
    lossSum: read(lossVariable),
    clearLoss: afterAll(graph, [assign(lossVariable, add(scalar(graph, 0), scalar(graph, 0)))]),
    hiddens: passed.hiddens.map(({ output }) => output),
    logits,
  };
}

/** Another seed for each micro-batch; ops add their site to the first number. */
function dropoutSeed(seed: number, { step, microStep }: MicroBatchPlace): Int32Array {
  const mixed = Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) ^ Math.imul(microStep + 1, 0x85ebca6b);
  return Int32Array.of(mixed, step);
}

function zerosLike(config: BertConfig): Map<string, HostTensor> {
  const entries = [...expectedShapes(config)].map(([name, shape]) => {
    const size = shape.reduce((product, length) => product * length, 1);
    return [name, { shape, data: new Float32Array(size) }] as const;
  });
  return new Map(entries);
}

function withPrefix(state: ReadonlyMap<string, HostTensor>, prefix: string): Map<string, HostTensor> {
  const chosen = [...state].filter(([name]) => name.startsWith(prefix));
  return new Map(chosen.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
