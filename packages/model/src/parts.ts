/**
 * Parts of a batch that a graph computes side by side, their gradients added up. On a CPU two, each on half the cores: an
 * op on half the cores wastes less of them than one on all (10 % of a step on two cores). A GPU runs one op at a time.
 */
export function partCountFor(device: "cpu" | "gpu"): number {
  return device === "cpu" ? 2 : 1;
}

/** Name of a part's lengths in the graph. */
export function partName(index: number): string {
  return `part${index}`;
}

/** Deals windows out in order, as evenly as can be, the larger part first. @returns no more parts than windows */
export function dealWindows(
  windowCount: number,
  partCount: number,
): { readonly first: number; readonly end: number }[] {
  const count = Math.min(windowCount, partCount);
  const bound = (part: number) => Math.ceil((part * windowCount) / count);
  return Array.from({ length: count }, (_, part) => ({ first: bound(part), end: bound(part + 1) }));
}
