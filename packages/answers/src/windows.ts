/** The tokens [first, end) of a context, counted in context tokens. */
export interface TokenRange {
  readonly first: number;
  readonly end: number;
}

/** `[CLS]`, `[SEP]`, `[SEP]` */
export const specialTokensPerWindow = 3;

/**
 * Cuts a context into windows, each a step of `widthTokens - overlapTokens` after the last, until one holds the end:
 * what the tokenizers library does when it truncates with a stride. An empty context gives one empty window.
 *
 * @returns at least one range; every token is in one, neighbours share `overlapTokens`
 * @throws RangeError if `widthTokens` is not above `overlapTokens`
 */
export function sliceWindows(size: { tokenCount: number; widthTokens: number; overlapTokens: number }): TokenRange[] {
  const { tokenCount, widthTokens, overlapTokens } = size;
  if (widthTokens <= overlapTokens) {
    throw new RangeError(`a window of ${widthTokens} tokens cannot move with an overlap of ${overlapTokens}`);
  }
  const ranges: TokenRange[] = [];
  for (let first = 0; ; first += widthTokens - overlapTokens) {
    const end = Math.min(first + widthTokens, tokenCount);
    ranges.push({ first, end });
    if (end === tokenCount) return ranges;
  }
}

/**
 * Whether `windows[index]` gives each of its tokens most context: the larger of the smaller of left and right context,
 * plus 0.01 × the window's length, the earlier window on ties. Source: `_check_is_max_context` in
 * https://github.com/google-research/bert/blob/master/run_squad.py
 *
 * @returns uint8 [tokens of the window], 1 for yes
 */
export function maxContextFlags(windows: readonly TokenRange[], index: number): Uint8Array {
  const own = windows[index] as TokenRange;
  const flags = new Uint8Array(own.end - own.first).fill(1);
  const yieldTo = (other: TokenRange, isEarlier: boolean) => {
    for (let token = Math.max(own.first, other.first); token < Math.min(own.end, other.end); token++) {
      const gap = contextScore(other, token) - contextScore(own, token);
      if (gap > 0 || (gap === 0 && isEarlier)) flags[token - own.first] = 0;
    }
  };
  // Windows are in order, so those that overlap this one are next to it.
  for (let i = index - 1; i >= 0 && (windows[i] as TokenRange).end > own.first; i--)
    yieldTo(windows[i] as TokenRange, true);
  for (let i = index + 1; i < windows.length && (windows[i] as TokenRange).first < own.end; i++) {
    yieldTo(windows[i] as TokenRange, false);
  }
  return flags;
}

function contextScore({ first, end }: TokenRange, token: number): number {
  return Math.min(token - first, end - 1 - token) + 0.01 * (end - first);
}
