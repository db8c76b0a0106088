import { beforeAll, expect, onTestFinished, test, vi } from "vitest";
import {
  add,
  afterAll,
  applyAdam,
  assign,
  assignAdd,
  cast,
  cluster,
  copy,
  fusedAttention,
  gatherRows,
  Graph,
  greaterOrEqual,
  loadEngine,
  matMul,
  multiply,
  placeholder,
  randomBits,
  read,
  reshape,
  scalar,
  Session,
  sum,
  sumRowsByIndex,
  tanh,
  variable,
  vector,
  type Engine,
  type FeedValue,
  type RunOptions,
  type Tensor,
} from "../../src/index.ts";

let engine: Engine;
beforeAll(async () => void (engine = await loadEngine()));

const float32 = (shape: readonly number[], ...values: number[]): FeedValue => ({
  ...{ dtype: "float32", shape, data: Float32Array.from(values) },
});
const int32 = (shape: readonly number[], ...values: number[]): FeedValue => ({
  ...{ dtype: "int32", shape, data: Int32Array.from(values) },
});
const newGraph = () => new Graph({ compileClusters: true });

/** The values of targets in one run of a graph; afterwards nothing of it is left in TensorFlow. */
function valuesOf(graph: Graph, targets: readonly Tensor[], options: RunOptions = {}): number[][] {
  const session = new Session(engine.binding, graph);
  try {
    return session.run(targets, options).map(({ data }) => [...data]);
  } finally {
    session.dispose();
  }
}

test("parts with lengths of their own run side by side on inputs of different sizes", () => {
  const graph = newGraph();
  const parts = ["a", "b"].map((name) => {
    const x = placeholder(graph, "float32");
    return graph.withOwnLengths(name, () => ({ x, sums: sum(reshape(x, ["L", 2]), { axes: [0] }) }));
  });
  const [a, b] = parts as [(typeof parts)[0], (typeof parts)[0]];
  const feeds = new Map([
    [a.x, float32([4], 1, 2, 3, 4)],
    [b.x, float32([6], 1, 2, 3, 4, 5, 6)],
  ]);
  // [[1, 2], [3, 4]] → [4, 6]; [[1, 2], [3, 4], [5, 6]] → [9, 12]
  expect(valuesOf(graph, [a.sums, b.sums], { feeds, lengths: { "a.L": 2, "b.L": 3 } })).toEqual([
    ...[[4, 6], [9, 12]], // prettier-ignore
  ]);
  // A run that leaves b out needs neither its input nor its length.
  expect(valuesOf(graph, [a.sums], { feeds: new Map([[a.x, float32([2], 7, 8)]]), lengths: { "a.L": 1 } })).toEqual([
    [7, 8],
  ]);
});

test("rows are gathered by index, and summed back by index: -1 drops a row", () => {
  const graph = newGraph();
  const [rows, picked, places] = [
    placeholder(graph, "float32"),
    placeholder(graph, "int32"),
    placeholder(graph, "int32"),
  ];
  const feeds = new Map<Tensor, FeedValue>([
    [rows, float32([4, 2], 1, 2, 3, 4, 5, 6, 7, 8)],
    [picked, int32([3], 3, 0, 3)],
    [places, int32([4], 2, -1, 0, 2)],
  ]);
  // Row 0 of the sums gets [5, 6]; row 1 nothing; row 2 [1, 2] + [7, 8]; [3, 4] is dropped.
  expect(valuesOf(graph, [gatherRows(rows, picked), sumRowsByIndex(rows, places, 3)], { feeds })).toEqual([
    [7, 8, 1, 2, 7, 8],
    [5, 6, 0, 0, 8, 10],
  ]);
});

test("an int32 target comes back as int32; another type has to be cast first", () => {
  const graph = newGraph();
  const x = placeholder(graph, "float32");
  const whole = cast(x, "int32");
  const session = new Session(engine.binding, graph);
  const feeds = new Map([[x, float32([3], 1.9, -1.9, 7)]]);
  const [result] = session.run([whole], { feeds });
  expect(result).toEqual({ shape: [3], data: Int32Array.of(1, -1, 7) });
  session.dispose();

  const other = newGraph();
  const y = placeholder(other, "float32");
  const narrow = cast(y, "bfloat16");
  const isPositive = greaterOrEqual(y, scalar(other, 0));
  for (const target of [narrow, isPositive]) {
    const problem = `cannot fetch ${target.reference}, which is ${target.dtype}: cast it to float32 or int32`;
    expect(() => valuesOf(other, [target], { feeds: new Map([[y, float32([], 1)]]) })).toThrow(problem);
  }
});

test("bfloat16 keeps 8 significant bits and rounds ties to even", () => {
  const graph = newGraph();
  const x = placeholder(graph, "float32");
  const rounded = cast(cast(x, "bfloat16"), "float32");
  // 1 + 2^-8 lies half way between 1 and 1 + 2^-7, whose last bit is odd.
  const feeds = new Map([[x, float32([3], 1, 1 + 2 ** -8, -2.5)]]);
  expect(valuesOf(graph, [rounded], { feeds })).toEqual([[1, 1, -2.5]]);
});

test("a compiled cluster and the same ops one by one agree", () => {
  const values = [true, false].map((compileClusters) => {
    const graph = new Graph({ compileClusters });
    const x = placeholder(graph, "float32");
    const { y } = cluster({ x }, (inner) => ({ y: multiply(inner.x, tanh(inner.x)) }));
    return valuesOf(graph, [y], { feeds: new Map([[x, float32([2], 0.5, -2)]]) })[0]!;
  });
  // 0.5 · tanh(0.5) = 0.2310586; -2 · tanh(-2) = 1.9280552
  for (const [first, second] of values as [number, number][]) {
    expect(first).toBeCloseTo(0.2310586, 6);
    expect(second).toBeCloseTo(1.9280552, 6);
  }
});

test("random bits are lowbias32 of the place, with one key before and one within", () => {
  const graph = newGraph();
  const keys = placeholder(graph, "int32");
  const shape = placeholder(graph, "float32");
  const bits = cast(randomBits(shape, cast(keys, "uint32")), "float32");
  const lowbias32 = (place: number, [first, second]: readonly [number, number]) => {
    let x = (place ^ first) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d) >>> 0;
    x = ((x ^ (x >>> 15)) ^ second) >>> 0; // prettier-ignore
    x = Math.imul(x, 0x846ca68b) >>> 0;
    return (x ^ (x >>> 16)) >>> 0;
  };
  const feeds = new Map<Tensor, FeedValue>([
    [keys, int32([2], 12345, -987654321)],
    [shape, float32([2, 2], 0, 0, 0, 0)],
  ]);
  const expected = [0, 1, 2, 3].map((place) => Math.fround(lowbias32(place, [12345, -987654321])));
  expect(valuesOf(graph, [bits], { feeds })).toEqual([expected]);
});

test("variables live from run to run, in their session alone", () => {
  const graph = newGraph();
  const state = variable(graph, "state", [2]);
  const x = placeholder(graph, "float32");
  const set = afterAll(graph, [assign(state, copy(x))]);
  const grow = afterAll(graph, [assignAdd(state, vector(graph, [1, 10]))]);
  const value = read(state);
  const feeds = new Map([[x, float32([2], 5, 6)]]);
  const [one, two] = [new Session(engine.binding, graph), new Session(engine.binding, graph)];
  for (const session of [one, two]) session.run([set], { feeds });
  one.run([grow]);
  expect([...one.run([value])[0].data]).toEqual([6, 16]);
  expect([...two.run([value])[0].data]).toEqual([5, 6]);
  one.dispose();
  two.dispose();
});

test("one Adam step moves a weight by its formula", () => {
  const graph = newGraph();
  const [weight, firstMoment, secondMoment] = ["w", "m", "v"].map((name) => variable(graph, name, [1]));
  const state = { weight: weight!, firstMoment: firstMoment!, secondMoment: secondMoment! };
  const init = Object.values(state).map((part, index) => assign(part, vector(graph, [[1, 0.5, 0.25][index]!])));
  const number = (value: number) => scalar(graph, value);
  const scalars = {
    ...{ beta1Power: number(0.9), beta2Power: number(0.99), learningRate: number(0.1) },
    ...{ beta1: number(0.9), beta2: number(0.99), epsilon: number(1e-3) },
  };
  const step = applyAdam(state, scalars, vector(graph, [2]), init);
  // m = 0.9·0.5 + 0.1·2 = 0.65; v = 0.99·0.25 + 0.01·4 = 0.2875
  // w = 1 − 0.1 · √(1−0.99)/(1−0.9) · 0.65 / (√0.2875 + 0.001) = 1 − 0.1 · 1 · 0.65/0.5371903 = 0.8789999
  const [w, m, v] = valuesOf(graph, [read(state.weight, [step]), read(state.firstMoment, [step]), read(state.secondMoment, [step])]); // prettier-ignore
  expect(m![0]).toBeCloseTo(0.65, 6);
  expect(v![0]).toBeCloseTo(0.2875, 6);
  expect(w![0]).toBeCloseTo(0.8789999, 6);
});

test("a run that fails says what TensorFlow says, and a disposed session says so itself", () => {
  const graph = newGraph();
  const [x, y] = [placeholder(graph, "float32"), placeholder(graph, "float32")];
  const product = matMul(x, y);
  const session = new Session(engine.binding, graph);
  const tensors = engine.binding.getNumOfTensors();
  const feeds = new Map([[x, float32([2, 3], 1, 2, 3, 4, 5, 6)]]);
  expect(() => session.run([product], { feeds })).toThrow(/must feed a value for placeholder tensor 'n1'/);
  feeds.set(y, float32([2, 1], 1, 2));
  expect(() => session.run([product], { feeds })).toThrow(/Matrix size-incompatible/);
  expect(engine.binding.getNumOfTensors()).toBe(tensors);
  session.dispose();
  session.dispose();
  expect(() => session.run([product], { feeds })).toThrow("this session was disposed");
});

// TensorFlow waits 10 s for memory before it gives up.
test("where memory runs out, one line says what to do, even where a kernel gets its second output", (context) => {
  if (!engine.fusedKernels) return context.skip();
  const graph = new Graph({ compileClusters: true, fusedKernels: true });
  const [product, bias, maskBias] = [0, 1, 2].map(() => placeholder(graph, "float32"));
  const inputs = { product: product!, bias: bias!, maskBias: maskBias!, keys: undefined };
  const { context: output } = fusedAttention(inputs, { headCount: 1, dropout: 0, training: true });
  // The first output is [B·L, H], 2²⁴ × 2²¹ numbers of 4 bytes: more than a process can address.
  const [windows, width] = [2 ** 24, 2 ** 21];
  const zeros = (shape: readonly number[], count: number): FeedValue => ({
    ...{ dtype: "float32", shape, data: new Float32Array(count) },
  });
  const feeds = new Map([
    [inputs.product, zeros([1, 3 * width], 3 * width)],
    [inputs.bias, zeros([3 * width], 3 * width)],
    [inputs.maskBias, zeros([windows, 1, 1, 1], windows)],
  ]);
  const session = new Session(engine.binding, graph, "Do less");
  expect(() => session.run([output], { feeds })).toThrow(
    "engine: the memory ran out, at a tensor of shape 16777216 × 2097152. Do less.",
  );
  session.dispose();
});

test("a folder for temporary files that is not there is told in one line", () => {
  vi.stubEnv("TMPDIR", "/dev/null/none");
  onTestFinished(() => void vi.unstubAllEnvs());
  const graph = newGraph();
  scalar(graph, 1);
  expect(() => new Session(engine.binding, graph)).toThrow(
    /^engine: the folder for temporary files cannot be used: ENOTDIR\. Set TMPDIR .* \(\/dev\/null\/none\)$/,
  );
});

test("runs leave no tensor behind, and a disposed session no graph", () => {
  const graph = newGraph();
  const x = placeholder(graph, "float32");
  const counts = () => [engine.binding.getNumOfTensors(), engine.binding.getNumOfSavedModels()];
  const before = counts();
  for (let run = 0; run < 3; run += 1) valuesOf(graph, [add(x, x)], { feeds: new Map([[x, float32([1], run)]]) });
  expect(counts()).toEqual(before);
});
