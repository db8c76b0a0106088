import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { planBatches } from "../src/batches.ts";
import { PassageIndex, passagesOf, readDocuments, wordsOf } from "../src/cli/documents.ts";
import { readInput, readText } from "../src/cli/input.ts";
import { parseQuestions } from "../src/cli/questions.ts";
import { renderAnswer } from "../src/cli/render.ts";
import { sentenceAround } from "../src/cli/sentence.ts";
import { defaultLimits, limitsOf } from "../src/limits.ts";
import { temporaryFolder } from "./tiny-export.ts";

test("batches hold windows of similar length, longest first, within the budget; a long window goes alone", () => {
  // Longest first: 50, 9, 9, 8, 2. Budget 20: 50 alone; 9 + 9 = 18; 8 + 8 (the 2 padded to 8) = 16.
  expect(planBatches([9, 2, 50, 8, 9], 20)).toEqual([
    { rows: [2], tokenCount: 50 },
    { rows: [0, 4], tokenCount: 9 },
    { rows: [3, 1], tokenCount: 8 },
  ]);
  expect(planBatches([], 20)).toEqual([]);
});

test("a limit that is left undefined is the default, and one that is no number above 0 is refused", () => {
  expect(limitsOf({ batchTokens: undefined, maxPassageCharacters: 5 } as object)).toEqual({
    ...defaultLimits,
    maxPassageCharacters: 5,
  });
  expect(() => limitsOf({ batchTokens: NaN })).toThrow("bertqa: batchTokens is NaN, expected a number above 0.");
});

test("the sentence of an answer ends at sentence ends and blank lines, and is cut where it is long", () => {
  const text = "First one. Ada wrote\nit in 1843, e.g. here. Last.\n\nNext";
  const at = text.indexOf("1843");
  expect(sentenceAround(text, { utf16: [at, at + 4], codePoints: [at, at + 4] })).toEqual({
    before: "Ada wrote it in ",
    marked: "1843",
    after: ", e.g. here.",
  });
  const long = `${"x ".repeat(400)}here${" y".repeat(400)}`;
  const { before, after } = sentenceAround(long, { utf16: [800, 804], codePoints: [800, 804] });
  expect([before.length, before[0], after.length, after.at(-1)]).toEqual([161, "…", 161, "…"]);
});

test("a blank line of Windows line ends, or with spaces in it, ends a sentence, too", () => {
  for (const gap of ["\r\n\r\n", "\n \t\n"]) {
    const text = `Chapter One${gap}Ada wrote it${gap}Next`;
    const at = text.indexOf("Ada");
    expect(sentenceAround(text, { utf16: [at, at + 3], codePoints: [at, at + 3] })).toEqual({
      before: "",
      marked: "Ada",
      after: " wrote it",
    });
  }
});

test("passages are whole paragraphs up to 2,000 characters, each with the line it starts on", () => {
  const paragraph = "w".repeat(900);
  // 900 + 2 + 900 fit into 2,000, a third does not; lines 1, 3, 5, then 8 after two blank lines.
  const passages = passagesOf(`${paragraph}\n\n${paragraph}\n\n${paragraph}\n\n\nlast`);
  expect(passages.map(({ firstLine, text }) => [firstLine, text.trim().length])).toEqual([
    [1, 1802],
    [5, 907],
  ]);
  expect(passagesOf("\n\none")).toEqual([{ firstLine: 3, text: "one" }]);
});

test("a paragraph over 2,000 characters is cut after a line, else after a word, else within it; nothing is lost", () => {
  const lines = passagesOf(`${"a".repeat(1500)}\n${"b".repeat(1500)}\n\nlast`);
  expect(lines.map(({ firstLine, text }) => [firstLine, text])).toEqual([
    [1, `${"a".repeat(1500)}\n`],
    [2, `${"b".repeat(1500)}\n\nlast`],
  ]);
  // 400 words with their spaces are 2,000 characters.
  const words = "word ".repeat(1000);
  expect(passagesOf(words).map(({ text }) => text.length)).toEqual([2000, 2000, 1000]);
  // 1 + 2 × 999 = 1,999: half of the next pair would fit.
  const pairs = passagesOf(`x${"😀".repeat(1500)}`);
  expect(pairs.map(({ text }) => text.length)).toEqual([1999, 1002]);
});

test("a gap that does not fit ends a passage: nothing is glued together, and lines are counted on", () => {
  const full = `${"w ".repeat(993)}end.`; // 1,990 characters
  expect(passagesOf(`${full}${"\n".repeat(12)}page 7`)).toEqual([
    { firstLine: 1, text: full },
    { firstLine: 13, text: "page 7" },
  ]);
});

test("documents are found and named alike from wherever the folder is named", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "sub"));
  await mkdir(join(folder, ".git"));
  for (const name of ["a.txt", "sub/b.md", ".git/c.md"]) await writeFile(join(folder, name), "text");
  const before = process.cwd();
  process.chdir(folder);
  try {
    for (const name of [".", "./", folder, `${folder}/`, "sub/.."]) {
      expect((await readDocuments(name)).map(({ file }) => file)).toEqual(["a.txt", "sub/b.md"]);
    }
  } finally {
    process.chdir(before);
  }
});

test("symbolic links to documents and to folders are left out, and said so", async () => {
  const [folder, elsewhere] = [await temporaryFolder(), await temporaryFolder()];
  await writeFile(join(elsewhere, "b.md"), "text");
  await symlink(join(elsewhere, "b.md"), join(folder, "b.md"));
  await symlink(elsewhere, join(folder, "a"));
  for (const name of ["logo.png", ".hidden.md"]) await symlink(join(elsewhere, "b.md"), join(folder, name));
  const lines: string[] = [];
  const read = async () => readDocuments(folder, { note: (line) => lines.push(line) });
  await expect(read()).rejects.toThrow(
    `bertqa: ${folder} holds no .txt, .md, .markdown file. Symbolic links are not followed: give the folder that they lead to.`,
  );
  await writeFile(join(folder, "c.md"), "text");
  expect((await read()).map(({ file }) => file)).toEqual(["c.md"]);
  expect(lines).toEqual(["left out: 2 symbolic links among the documents, such as a"]);
});

test("a word is found whatever stands beside it, in either Unicode form, and Chinese by its characters", () => {
  const found = (text: string, question: string) =>
    new PassageIndex([{ id: 0, file: "a.md", firstLine: 1, text }]).search(question, 1).length;
  for (const [text, question] of [
    ["Call `dispose` when done.", "dispose?"],
    ["Name:\tStradivari\tCremona", "Where did Stradivari work?"],
    ["<b>Stradivari</b> worked here", "stradivari"],
    ["|Stradivari|Cremona|", "Cremona"],
    ["Le cafe\u0301 ferme", "caf\u00e9"],
    ["Le caf\u00e9 ferme", "CAFE"],
    ["Stradi\u00advari", "Stradivari"],
    ["\ufeffStradivari", "Stradivari"],
    ["\u5317\u4eac\u5728\u54ea\u91cc", "\u4eac"],
  ] as const) {
    expect([text, found(text, question)]).toEqual([text, 1]);
  }
  expect(found("Stradivari worked", "Cremona")).toBe(0);
  expect(wordsOf("Bach's BWV 1004, \u5317\u4eac!")).toEqual(["bach", "s", "bwv", "1004", "\u5317", "\u4eac"]);
});

test("of passages with one text the first is found, and another in place of the second", () => {
  const texts = ["Ada wrote it.", "Ada wrote it.\n", "Ada was here, in the year 1843."];
  const passages = texts.map((text, id) => ({ id, file: `${id}.md`, firstLine: 1, text }));
  const found = new PassageIndex(passages).search("Ada wrote", 2);
  expect(found.map(({ file }) => file)).toEqual(["0.md", "2.md"]);
});

test("a search looks at 100,000 places at most: the rarest words of a question come first, each once", () => {
  const passages = Array.from({ length: 60_000 }, (_, id) => ({
    ...{ id, file: "a.md", firstLine: 1 },
    text: id === 40_000 ? "the of viola" : id === 50_000 ? "of the the the" : `the of ${id % 10}`,
  }));
  const index = new PassageIndex(passages);
  expect(index.search(`${"the ".repeat(200)}of viola`, 2).map(({ id }) => id)[0]).toBe(40_000);
  // "viola" and one of the two common words: 60,001 places; the other would go over.
  expect(index.search("viola", 5)).toHaveLength(1);
  expect(index.search("the of", 5)).toHaveLength(5);
});

test("documents over the limit together are refused by the file that goes over it", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "b"));
  await writeFile(join(folder, "a.txt"), "a".repeat(600));
  await writeFile(join(folder, "b/c.md"), "b".repeat(600));
  expect(await readDocuments(folder, { mostBytes: 1200 })).toHaveLength(2);
  await expect(readDocuments(folder, { mostBytes: 1024 })).rejects.toThrow(
    `bertqa: the documents are longer than ${1024 / 1024 ** 2} MiB together. Search a folder that holds less. (${folder}/b/c.md)`,
  );
});

test("a document, and a folder of them, that may not be read are refused by name", async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "a.md"), "a", { mode: 0o000 });
  const asNobody = async (mode: number) => {
    await chmod(folder, mode);
    const isRoot = process.geteuid!() === 0; // whom no mode keeps out
    if (isRoot) process.seteuid!(65_534);
    try {
      return await readDocuments(folder);
    } finally {
      if (isRoot) process.seteuid!(0);
      await chmod(folder, 0o700);
    }
  };
  await expect(asNobody(0o755)).rejects.toThrow(/^bertqa: a document cannot be read: EACCES.*\/a\.md\)$/);
  await expect(asNobody(0o000)).rejects.toThrow(`bertqa: the documents cannot be read: EACCES`);
});

test("a text that is not in UTF-8 is refused by name, alone and among documents", async () => {
  const folder = await temporaryFolder();
  const file = join(folder, "latin.txt");
  await writeFile(file, Buffer.from("caf\xe9", "latin1"));
  const refusal = (what: string) => `bertqa: ${what} is not in UTF-8. Save it as UTF-8 text. (${file})`;
  await expect(readInput(file, "the passage")).rejects.toThrow(refusal("the passage"));
  await expect(readDocuments(folder)).rejects.toThrow(refusal("a document"));
});

test("a stream is read up to its limit, and no further; a byte order mark is no part of the text", async () => {
  expect(await readText(Readable.from([Buffer.from("\ufeffé"), Buffer.from("a")]), 6)).toBe("éa");
  let isEnded = false;
  function* endless() {
    try {
      while (true) yield Buffer.alloc(100);
    } finally {
      isEnded = true;
    }
  }
  expect(await readText(Readable.from(endless()), 1000)).toBeUndefined();
  expect(isEnded).toBe(true);
});

test("what a passage holds cannot command the terminal", () => {
  const context = "Ada \u001b[31mwrote\u009b2J it.\n\u202eNow.";
  const range = { codePoints: [0, 15], utf16: [0, 15] } as const;
  const candidate = { text: context.slice(0, 15), score: 1, ...range };
  const shown = renderAnswer(
    { question: "Who\u0007?" },
    context,
    {
      ...{ answer: candidate.text, score: 1, noAnswerProbability: 0, nullOdds: 0, span: range, windowCount: 1 },
      candidates: [candidate, candidate],
    },
    (text) => text,
  );
  expect(shown.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  expect(shown).toContain("Ada \\x1b[31mwrote\\x9b");
});

test("a line of questions that is neither text nor a question object is named", () => {
  expect(parseQuestions('Who?\r\n\n{"id":1,"question":"Where?"}', "q")).toEqual([
    { question: "Who?" },
    { id: 1, question: "Where?" },
  ]);
  // As a number it would come out as another one.
  expect(parseQuestions('{"id":1790000000000000123,"question":"Where?"}', "q")).toEqual([
    { id: "1790000000000000123", question: "Where?" },
  ]);
  // pandas writes a missing cell as null, Python's json as NaN.
  expect(parseQuestions('{"id":null,"question":"Where?","context":NaN}', "q")).toEqual([{ question: "Where?" }]);
  expect(parseQuestions("[Act 1] Who?", "q")).toEqual([{ question: "[Act 1] Who?" }]);
  for (const line of ['{"quest":1}', '{"question":" "}', '[{"question":"Who?"}]', "["]) {
    expect(() => parseQuestions(`a\n${line}`, "q.jsonl")).toThrow(
      'ask: the line is no JSON object with a question. Write {"question": "…"}, or plain text. (q.jsonl:2)',
    );
  }
});
