import {
  addAll,
  applyAdam,
  assign,
  divide,
  afterAll,
  halfSquaredNorm,
  minimum,
  add,
  multiply,
  placeholder,
  read,
  scalar,
  scale,
  sqrt,
  type FeedValue,
  type Graph,
  type Tensor,
} from "@bertqa/engine";
import type { StoredTensors } from "./stored-weights.ts";
import type { TrainerOptions } from "./types.ts";

type F32 = Tensor<"float32">;

export interface OptimizerState {
  readonly weights: StoredTensors;
  readonly firstMoments: StoredTensors;
  readonly secondMoments: StoredTensors;
  readonly gradients: StoredTensors;
}

/**
 * AdamW (Loshchilov and Hutter 2019) as torch.optim.AdamW computes it, after clipping by global norm as
 * torch.nn.utils.clip_grad_norm_ does.
 */
export class AdamW {
  /** Fetch it to make one step. */
  readonly step: Tensor;
  /** Global norm of the gradients before clipping, float32 scalar. */
  readonly gradientNorm: F32;
  private readonly options: TrainerOptions;
  private readonly fed: Readonly<Record<"rate" | "keep" | "power1" | "power2" | "epsilon", F32>>;

  constructor(graph: Graph, { weights, ...state }: OptimizerState, options: TrainerOptions) {
    this.options = options;
    const number = () => placeholder(graph, "float32");
    this.fed = { rate: number(), keep: number(), power1: number(), power2: number(), epsilon: number() };
    const gradients = weights.parameters.map(({ name }) => state.gradients.value(name));
    this.gradientNorm = sqrt(scale(addAll(gradients.map(halfSquaredNorm)), 2));
    const clip = minimum(
      divide(scalar(graph, options.maxGradientNorm), add(this.gradientNorm, scalar(graph, 1e-6))),
      scalar(graph, 1),
    );
    const scalars = {
      beta1Power: this.fed.power1,
      beta2Power: this.fed.power2,
      learningRate: this.fed.rate,
      beta1: scalar(graph, options.beta1),
      beta2: scalar(graph, options.beta2),
      epsilon: this.fed.epsilon,
    };
    const updates = weights.parameters.map(({ name, decays }, index) => {
      const weight = weights.variable(name);
      const decayed = decays && options.weightDecay > 0 ? [assign(weight, multiply(read(weight), this.fed.keep))] : [];
      const moments = {
        firstMoment: state.firstMoments.variable(name),
        secondMoment: state.secondMoments.variable(name),
      };
      return applyAdam({ weight, ...moments }, scalars, multiply(gradients[index]!, clip), decayed);
    });
    this.step = afterAll(graph, updates);
  }

  /** @param stepNumber of this step, from 1 */
  feeds(learningRate: number, stepNumber: number): Map<Tensor, FeedValue> {
    const { beta1, beta2, epsilon, weightDecay } = this.options;
    const power2 = beta2 ** stepNumber;
    const values = {
      rate: learningRate,
      keep: 1 - learningRate * weightDecay,
      power1: beta1 ** stepNumber,
      power2,
      epsilon: epsilon * Math.sqrt(1 - power2),
    };
    return new Map(
      (Object.keys(values) as (keyof typeof values)[]).map((name) => [
        this.fed[name],
        { dtype: "float32", shape: [], data: Float32Array.of(values[name]) },
      ]),
    );
  }
}
