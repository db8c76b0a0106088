import { expect, test } from "vitest";
import { blocksOf, segmentsOf, type Mark } from "../src/segments.ts";

test("overlapping answers are cut where either starts or ends", () => {
  // 0123456789, gold 2–6, predicted 4–8 → 01 | 23 gold | 45 both | 67 predicted | 89
  const marks: Mark[] = [
    { kind: "gold", start: 2, end: 6 },
    { kind: "predicted", start: 4, end: 8 },
  ];
  expect(segmentsOf("0123456789", marks)).toEqual([
    { text: "01", kinds: [] },
    { text: "23", kinds: ["gold"] },
    { text: "45", kinds: ["gold", "predicted"] },
    { text: "67", kinds: ["predicted"] },
    { text: "89", kinds: [] },
  ]);
});

test("gold answers inside and beside each other are one marked stretch", () => {
  const gold = (start: number, end: number): Mark => ({ kind: "gold", start, end });
  expect(segmentsOf("abcdef", [gold(1, 4), gold(2, 3), gold(4, 5)])).toEqual([
    { text: "a", kinds: [] },
    { text: "bcde", kinds: ["gold"] },
    { text: "f", kinds: [] },
  ]);
});

test("joined, the segments are the passage, for any marks", () => {
  const passage = "an 𝄞 astral passage";
  for (let start = 0; start < passage.length; start++) {
    for (let end = start; end <= passage.length; end++) {
      const marks: Mark[] = [
        { kind: "gold", start, end },
        { kind: "candidate", start: 3, end: passage.length },
      ];
      expect(
        segmentsOf(passage, marks)
          .map(({ text }) => text)
          .join(""),
      ).toBe(passage);
    }
  }
});

test("a passage without marks, or without text, is whole", () => {
  expect(segmentsOf("text", [])).toEqual([{ text: "text", kinds: [] }]);
  expect(segmentsOf("", [])).toEqual([]);
});

test("a long passage is cut between lines, and no character is lost", () => {
  const lines = Array.from({ length: 100 }, (_, i) => `line ${i} `.repeat(1 + (i % 30)) + "\n".repeat(1 + (i % 3)));
  for (const passage of ["", "\n", "no line end", `\n\n${lines.join("")}`, `${lines.join("")}end`]) {
    const blocks = blocksOf(passage);
    expect(blocks.join("")).toBe(passage);
    expect(blocks.slice(0, -1).every((block) => block.endsWith("\n") && block.length >= 600)).toBe(true);
  }
});

test("a mark that reaches beyond the text is cut at its ends", () => {
  expect(segmentsOf("abc", [{ kind: "answer", start: -5, end: 2 }])).toEqual([
    { text: "ab", kinds: ["answer"] },
    { text: "c", kinds: [] },
  ]);
});
