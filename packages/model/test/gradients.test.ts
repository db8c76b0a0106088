import { beforeAll, describe, expect, test } from "vitest";
import {
  cluster,
  Graph,
  loadEngine,
  placeholder,
  Session,
  sum,
  type Engine,
  type FeedValue,
  type Tensor,
} from "@bertqa/engine";
import { projectedAttention, projectedAttentionBackward } from "../src/blocks/attention.ts";
import { nextKeys } from "../src/blocks/dropout.ts";
import { activate, activateBackward } from "../src/blocks/feed-forward.ts";
import { residualNorm, residualNormBackward } from "../src/blocks/residual-norm.ts";

type F32 = Tensor<"float32">;

let engine: Engine;
beforeAll(async () => {
  engine = await loadEngine();
});

/** Numbers in −1..1 without a pattern that the blocks could share. */
function numbers(shape: readonly number[], salt: number): Extract<FeedValue, { dtype: "float32" }> {
  const size = shape.reduce((product, length) => product * length, 1);
  return { dtype: "float32", shape, data: Float32Array.from({ length: size }, (_, i) => Math.sin(salt + 12.9898 * i)) };
}

interface Block {
  /** The block's output, and the gradient of each input given that of the output. */
  readonly build: (
    inputs: Record<string, F32>,
    gradient: F32,
    seed: Tensor<"int32">,
  ) => {
    readonly output: F32;
    readonly gradients: Readonly<Record<string, F32>>;
  };
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly outputShape: readonly number[];
}

// Sizes that all differ: B 2, L 5, A 3, D 4, N = B·L = 10, H = A·D = 12, I 7.
const attentionSettings = { headCount: 3, headSize: 4, dropout: 0.25, training: true };
const lengths = { B: 2, L: 5, N: 10 };
const settings = { epsilon: 1e-12, dropout: 0.25, training: true };
const random = (seed: Tensor<"int32">) => nextKeys({ seed, nextDropout: 3 }, 0.25);

const blocks: Record<string, Block> = {
  "attention with dropout": {
    shapes: { product: [10, 36], bias: [36] },
    outputShape: [10, 12],
    build({ product, bias }, gradient, seed) {
      const maskBias = placeholder(gradient.graph.main, "float32");
      masks.push(maskBias);
      const inputs = { product: product!, bias: bias!, maskBias, dropoutKeys: random(seed) };
      const { context, saved } = projectedAttention(inputs, attentionSettings);
      const both = projectedAttentionBackward(gradient, saved, attentionSettings);
      return { output: context, gradients: { product: both, bias: sum(both, { axes: [0] }) } };
    },
  },
  GELU: gelu("gelu"),
  "GELU by tanh": gelu("gelu_new"),
  "residual, dropout and layer norm": {
    shapes: { residual: [10, 12], product: [10, 12], bias: [12], gamma: [12], beta: [12] },
    outputShape: [10, 12],
    build(inputs, gradient, seed) {
      const keys = random(seed);
      const given = inputs as Record<"residual" | "product" | "bias" | "gamma" | "beta", F32>;
      const result = residualNorm({ ...given, keys }, settings);
      const saved = { ...result, keys, gamma: given.gamma };
      const back = residualNormBackward({ direct: gradient, throughSublayer: undefined }, saved, 0.25, "float32");
      return { output: result.output, gradients: { ...back, bias: sum(back.product, { axes: [0] }) } };
    },
  },
};
const masks: F32[] = [];

function gelu(kind: "gelu" | "gelu_new"): Block {
  return {
    shapes: { product: [10, 7], bias: [7] },
    outputShape: [10, 7],
    build({ product, bias }, gradient) {
      const output = activate(product!, bias!, { activation: kind, training: true });
      const back = activateBackward(gradient, { product: product!, bias: bias!, output }, kind);
      return { output, gradients: { product: back.product, bias: sum(back.product, { axes: [0] }) } };
    },
  };
}

describe.each(Object.entries(blocks))("%s", (_, { shapes, outputShape, build }) => {
  test.each([
    ["clusters", false],
    ["fused kernels", true],
  ])("in %s its gradient is the slope of its output along random directions", (_, fusedKernels) => {
    const graph = new Graph({ compileClusters: true, fusedKernels });
    const inputs = Object.fromEntries(Object.keys(shapes).map((key) => [key, placeholder(graph, "float32")]));
    const gradient = placeholder(graph, "float32");
    const seed = placeholder(graph, "int32");
    masks.length = 0;
    const { output, gradients } = build(inputs, gradient, seed);
    const session = new Session(engine.binding, graph);
    const weights = numbers(outputShape, 0.5);
    const values = Object.entries(shapes).map(([key, shape], index) => [key, numbers(shape, index + 1)] as const);
    const feedsFor = (moved?: string, distance = 0) => {
      const feeds = new Map<Tensor, FeedValue>([
        [gradient, weights],
        [seed, { dtype: "int32", shape: [2], data: Int32Array.of(11, 12) }],
      ]);
      for (const mask of masks) {
        const data = Float32Array.of(0, 0, 0, 0, 0, 0, 0, 0, -1e9, -1e9);
        feeds.set(mask, { dtype: "float32", shape: [2, 1, 1, 5], data });
      }
      for (const [key, value] of values) {
        const direction = numbers(value.shape, 9).data;
        const data = key === moved ? value.data.map((x, i) => x + distance * direction[i]!) : value.data;
        feeds.set(inputs[key]!, { ...value, data });
      }
      return feeds;
    };
    const objective = (moved: string, distance: number) => {
      const [result] = session.run([output], { feeds: feedsFor(moved, distance), lengths });
      return result.data.reduce((sum, x, i) => sum + x * weights.data[i]!, 0);
    };
    for (const [key, value] of values) {
      const [analytic] = session.run([gradients[key]!], { feeds: feedsFor(), lengths });
      const direction = numbers(value.shape, 9).data;
      const expected = analytic.data.reduce((sum, g, i) => sum + g * direction[i]!, 0);
      const slope = (objective(key, 1e-2) - objective(key, -1e-2)) / 2e-2;
      expect(Math.abs(slope - expected), `${key}: slope ${slope}, gradient ${expected}`).toBeLessThan(
        2e-3 * Math.max(1, Math.abs(slope)),
      );
    }
    session.dispose();
  });
});

test("a cluster that mixes graphs is refused", () => {
  const [one, other] = [new Graph({ compileClusters: true }), new Graph({ compileClusters: true })];
  const [a, b] = [placeholder(one, "float32"), placeholder(other, "float32")];
  expect(() => cluster({ a, b }, (t) => t)).toThrow("belongs to another graph");
});
