import { datasetSplits, type DatasetSplit } from "@bertqa/core";

/** Something of each file of a dataset; nothing of those that were not given. */
export interface BySplit<T> {
  readonly train: T;
  readonly dev: T;
  readonly sanity?: T;
  readonly extra?: T;
}

/** In the order of core's `datasetSplits`. */
export function splitEntries<T>(values: BySplit<T>): [DatasetSplit, T][] {
  return datasetSplits.flatMap((split): [DatasetSplit, T][] => {
    const value = values[split];
    return value === undefined ? [] : [[split, value]];
  });
}

export function mapSplits<T, U>(values: BySplit<T>, make: (value: T, split: DatasetSplit) => U): BySplit<U> {
  return Object.fromEntries(
    splitEntries(values).map(([split, value]) => [split, make(value, split)]),
  ) as unknown as BySplit<U>;
}

/** As {@link mapSplits}, one split after the other. */
export async function mapSplitsInTurn<T, U>(
  values: BySplit<T>,
  make: (value: T, split: DatasetSplit) => Promise<U>,
): Promise<BySplit<U>> {
  const made: Partial<Record<DatasetSplit, U>> = {};
  for (const [split, value] of splitEntries(values)) made[split] = await make(value, split);
  return made as BySplit<U>;
}
