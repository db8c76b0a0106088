/** Windows that go through the model together. */
export interface PlannedBatch {
  /** Rows of the shard; where there are fewer than the shape has, the last is repeated. */
  readonly rows: readonly number[];
  /** B of the batch's shape. */
  readonly windowCount: number;
  /** L of the batch's shape. */
  readonly tokenCount: number;
}

export interface BatchRules {
  /** Tokens of a batch with its padding, B × L; at least one window goes in. */
  readonly batchTokens: number;
  /** What a further shape costs, in tokens that the model could have predicted in that time. */
  readonly shapeCostTokens: number;
  /** The longest batch that the model takes. */
  readonly maxTokenCount: number;
  /** A model that compiles nothing takes each batch as it comes: `shapeCostTokens` is not read. */
  readonly compilesShapes: boolean;
}

/**
 * Rules for a device, where the options leave them open.
 *
 * On a CPU the rate hardly depends on the batch's size (MiniLM-L6 at L 192, bfloat16: 6.3, 6.1, 6.1, 6.0 thousand tokens
 * a CPU second at B 8, 15, 30, 60), and compiling a shape takes about 0.55 CPU seconds, of which half the cores are idle. The
 * cost in tokens falls with the square of the width: a wider model computes as many more products a token, and compiles
 * in the same time. The GPU's numbers are estimates: not measured yet.
 */
export function batchRulesFor(
  device: "cpu" | "gpu",
  model: { readonly hiddenSize: number; readonly maxPositions: number },
  batchTokens: number | undefined,
  compilesShapes: boolean,
): BatchRules {
  const { tokens, shapeCost } =
    device === "gpu" ? { tokens: 49_152, shapeCost: 1_000_000 } : { tokens: 3072, shapeCost: 6000 };
  return {
    batchTokens: batchTokens ?? tokens,
    shapeCostTokens: Math.round(shapeCost * (384 / model.hiddenSize) ** 2),
    maxTokenCount: model.maxPositions,
    compilesShapes,
  };
}

/** Coarser than the model's own rounding, which leaves multiples of 16 as they are: half as many shapes to choose from. */
const tokenMultiple = 16;

/**
 * Plans the batches of a shard: windows of similar length together, longest first, so that a lack of memory shows at
 * once. TensorFlow compiles the model once for each shape [B, L], so few shapes are worth some padding: the lengths
 * chosen are those that cost least, padding and compiling together. A length has one B: its windows are dealt out evenly.
 * B is even, or 1: the model computes the halves of a batch side by side, and equal halves are one shape.
 *
 * Where nothing is compiled, windows are only sorted, and a batch is as long as its longest.
 *
 * @param tokenCounts int32, tokens of each row of the shard
 */
export function planBatches(tokenCounts: Int32Array, rules: BatchRules): PlannedBatch[] {
  if (!rules.compilesShapes) return planExactBatches(tokenCounts, rules.batchTokens);
  const roundedUp = Array.from(tokenCounts, (count) =>
    Math.min(Math.ceil(count / tokenMultiple) * tokenMultiple, rules.maxTokenCount),
  );
  const lengths = chooseLengths(roundedUp, rules.shapeCostTokens);
  const rowsByLength = new Map<number, number[]>(lengths.map((length) => [length, []]));
  roundedUp.forEach((count, row) => {
    const length = lengths.findLast((each) => each >= count) as number;
    rowsByLength.get(length)?.push(row);
  });
  return [...rowsByLength].flatMap(([tokenCount, rows]) => {
    rows.sort((a, b) => (tokenCounts[b] as number) - (tokenCounts[a] as number)); // stable
    const mostWindows = Math.max(1, evenBelow(Math.floor(rules.batchTokens / tokenCount)));
    const batchCount = Math.ceil(rows.length / mostWindows);
    const share = Math.ceil(rows.length / batchCount);
    const windowCount = share === 1 ? 1 : evenBelow(share + 1);
    return Array.from({ length: batchCount }, (_, i) => ({
      rows: rows.slice(i * windowCount, (i + 1) * windowCount),
      windowCount,
      tokenCount,
    }));
  });
}

function planExactBatches(tokenCounts: Int32Array, batchTokens: number): PlannedBatch[] {
  const sorted = [...tokenCounts.keys()].sort((a, b) => (tokenCounts[b] as number) - (tokenCounts[a] as number)); // stable
  const batches: PlannedBatch[] = [];
  for (let first = 0; first < sorted.length; first += (batches.at(-1) as PlannedBatch).windowCount) {
    const tokenCount = tokenCounts[sorted[first] as number] as number;
    const most = Math.max(1, evenBelow(Math.floor(batchTokens / tokenCount)));
    const rows = sorted.slice(first, first + most);
    batches.push({ rows, windowCount: rows.length, tokenCount });
  }
  return batches;
}

/** The largest even number that is not above n. */
function evenBelow(n: number): number {
  return n - (n % 2);
}

/**
 * The lengths to pad to, longest first, by dynamic programming over the lengths that occur: the least of
 * Σ windows × length they are padded to + shapeCostTokens × lengths.
 */
function chooseLengths(windowLengths: readonly number[], shapeCostTokens: number): number[] {
  const lengths = [...new Set(windowLengths)].sort((a, b) => a - b);
  const countUpTo = lengths.map((length) => windowLengths.filter((each) => each <= length).length);
  // best[j]: the cheapest way to cover all windows up to lengths[j], where lengths[j] itself is chosen.
  const best: { cost: number; previous: number }[] = [];
  lengths.forEach((length, j) => {
    const ways = Array.from({ length: j + 1 }, (_, k) => {
      const previous = k - 1;
      const covered = previous < 0 ? 0 : (countUpTo[previous] as number);
      const before = previous < 0 ? 0 : (best[previous] as { cost: number }).cost;
      return { cost: before + ((countUpTo[j] as number) - covered) * length + shapeCostTokens, previous };
    });
    best.push(ways.reduce((a, b) => (b.cost < a.cost ? b : a)));
  });
  const chosen: number[] = [];
  for (let j = lengths.length - 1; j >= 0; j = (best[j] as { previous: number }).previous) {
    chosen.push(lengths[j] as number);
  }
  return chosen;
}
