/** What a part of a passage can be at once. */
export type MarkKind = "gold" | "predicted" | "candidate";

export interface Mark {
  readonly kind: MarkKind;
  readonly start: number;
  readonly end: number;
}

export interface Segment {
  readonly text: string;
  /** In the order gold, predicted, candidate; empty for plain text. */
  readonly kinds: readonly MarkKind[];
}

const kindOrder: readonly MarkKind[] = ["gold", "predicted", "candidate"];

/** Cuts a passage where any mark starts or ends, so that overlapping marks need no nesting. Joined, the texts are the passage. */
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
