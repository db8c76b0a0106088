/** What a part of a passage can be at once. */
export type MarkKind = "gold" | "predicted" | "answer" | "rejected" | "candidate";

export interface Mark {
  readonly kind: MarkKind;
  readonly start: number;
  readonly end: number;
}

export interface Segment {
  readonly text: string;
  /** In the order of {@link MarkKind}; empty for plain text. */
  readonly kinds: readonly MarkKind[];
}

const kindOrder: readonly MarkKind[] = ["gold", "predicted", "answer", "rejected", "candidate"];

/**
 * Cuts a passage where any mark starts or ends, so that overlapping marks need no nesting. Joined, the texts are the passage.
 * Marks may reach beyond it on either side.
 */
export function segmentsOf(passage: string, marks: readonly Mark[]): Segment[] {
  const edges = new Set([0, passage.length, ...marks.flatMap((mark) => [mark.start, mark.end])]);
  const cuts = [...edges].filter((edge) => edge >= 0 && edge <= passage.length).sort((a, b) => a - b);
  const segments: { text: string; kinds: MarkKind[] }[] = [];
  cuts.slice(0, -1).forEach((start, index) => {
    const end = cuts[index + 1] ?? start;
    const kinds = kindOrder.filter((kind) =>
      marks.some((mark) => mark.kind === kind && mark.start <= start && mark.end >= end),
    );
    const last = segments.at(-1);
    if (last?.kinds.join() === kinds.join()) last.text += passage.slice(start, end);
    else segments.push({ text: passage.slice(start, end), kinds });
  });
  return segments;
}

/** Lines are joined to blocks of at least this, in UTF-16 units: few elements, and little to draw again. */
const blockCharacters = 600;

/** Cuts a long passage between lines. Joined, the blocks are the passage; each but the last ends with its line. */
export function blocksOf(passage: string): string[] {
  const blocks: string[] = [];
  let open = "";
  for (const line of passage.match(/[^\n]*\n+|[^\n]+$/g) ?? []) {
    open += line;
    if (open.length < blockCharacters) continue;
    blocks.push(open);
    open = "";
  }
  return open === "" ? blocks : [...blocks, open];
}
