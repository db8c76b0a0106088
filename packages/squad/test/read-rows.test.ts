import { expect, test } from "vitest";
import { describeLeftOut, describeProblems, problemCounts, readRows, type RawRow } from "../src/index.ts";

const context = "The Rhine rises in the Alps.";
const row = (changes: Partial<RawRow>): RawRow => ({
  ...{ place: "line 1", article: 0, paragraph: 0, title: "Rivers", context, id: "q", question: "Where?" },
  ...changes,
});
const answered = (text: unknown, answer_start?: unknown) => ({ answers: [{ text, answer_start }] });
const questionsIn = (read: ReturnType<typeof readRows>) =>
  read.articles.flatMap(({ paragraphs }) => paragraphs.flatMap(({ qas }) => qas));
const kindsIn = (read: ReturnType<typeof readRows>) => read.problems.map(({ kind }) => kind);
const readTrain = (changes: Partial<RawRow>) => readRows("train", [row(changes)]);
const readDev = (changes: Partial<RawRow>) => readRows("dev", [row(changes)]);

test("flags are read by what they say: null is absent, a text or number by its value, anything else is refused", () => {
  const impossible = (isImpossible: unknown) => questionsIn(readTrain({ answers: [], isImpossible }))[0]?.is_impossible;
  expect([true, "true", 1, "1"].map(impossible)).toEqual([true, true, true, true]);
  const possible = (isImpossible: unknown) =>
    questionsIn(readTrain({ ...answered("Alps", 23), isImpossible }))[0]?.is_impossible;
  expect([false, "false", "False", 0, "0.0", null].map(possible)).toEqual(Array(6).fill(false));
  expect(readTrain({ ...answered("Alps", 23), isImpossible: "maybe" }).problems[0]?.what).toBe(
    'is_impossible: expected true or false, got "maybe"',
  );
});

test("answers come in many shapes and mean one thing", () => {
  const shapes: unknown[] = [
    [{ text: "Alps", answer_start: 23 }],
    [{ text: "Alps", answer_start: "23" }],
    [{ text: "Alps", answer_start: "23.0" }],
    { text: ["Alps"], answer_start: [23] },
    { text: "Alps", answer_start: 23 },
    ["Alps"],
    "Alps",
    [{ text: " Alps", answer_start: 23 }],
  ];
  for (const answers of shapes) {
    expect(questionsIn(readTrain({ answers }))[0]?.answers).toEqual([{ text: "Alps", answer_start: 23 }]);
  }
});

test("an empty text says that there is no answer, and no list at all says nothing", () => {
  for (const answers of [[], "", [{ text: "", answer_start: -1 }], { text: [], answer_start: [] }]) {
    expect(questionsIn(readTrain({ answers }))[0]).toMatchObject({ answers: [], is_impossible: true });
  }
  expect(readTrain({ answers: "" }).notes).toEqual([
    "1 question with an empty answer and no is_impossible, read as unanswerable",
  ]);
  expect(kindsIn(readTrain({}))).toEqual(["MissingAnswer"]);
  expect(questionsIn(readDev({}))).toEqual([{ id: "q", question: "Where?" }]);
});

test("white space that an annotator dragged over moves no answer to another place", () => {
  // " the Alps" at 18 is the passage's own; " the Alps" at 19 names "the Alps", which stands there.
  expect(questionsIn(readTrain(answered(" the Alps", 18)))[0]?.answers).toEqual([
    { text: " the Alps", answer_start: 18 },
  ]);
  expect(questionsIn(readTrain(answered(" the Alps", 19)))[0]?.answers).toEqual([
    { text: "the Alps", answer_start: 19 },
  ]);
});

test("an answer at a wrong position is read in its only place, and never inside a word or in one of several", () => {
  const moved = readTrain(answered("Rhine", 9));
  expect(questionsIn(moved)[0]?.answers).toEqual([{ text: "Rhine", answer_start: 4 }]);
  expect(moved.problems[0]?.what).toBe('answer "Rhine" does not stand at 9 but at 4, its only place');
  // "lp" stands once, inside "Alps"; "he" twice, in "The" and "the".
  expect(readTrain(answered("lp", 3)).problems[0]?.what).toContain("its only place, 24, cuts a word apart");
  expect(readTrain(answered("he", 3)).problems[0]?.what).toContain("it stands in 2 places: 1, 20");
  expect(kindsIn(readTrain(answered("he", 3)))).toEqual(["UnusableAnswer"]);
});

test("without a position the only place counts, and several are listed", () => {
  const read = readTrain(answered("Alps"));
  expect(questionsIn(read)[0]?.answers).toEqual([{ text: "Alps", answer_start: 23 }]);
  expect(read.notes).toEqual(["1 answer without position, found in one place"]);
  expect(readTrain(answered("he")).problems[0]?.what).toBe('answer "he" has no position; it stands in 2 places: 1, 20');
});

test("dev keeps each question and each text: scoring needs no position", () => {
  const answers = [
    { text: "the alps", answer_start: 19 },
    { text: "", answer_start: -1 },
    { text: "Switzerland", answer_start: 3 },
  ];
  const read = readDev({ answers });
  expect(questionsIn(read)[0]?.answers).toEqual([
    { text: "the alps", answer_start: -1 },
    { text: "Switzerland", answer_start: -1 },
  ]);
  expect(problemCounts("dev", read.problems)).toEqual({
    devSkipped: 0,
    devEmptyAnswer: 1,
    devRespelledAnswer: 1,
    devLostLabel: 1,
  });
  // In train the passage's own spelling is the label, and the others are left out.
  expect(questionsIn(readTrain({ answers }))[0]?.answers).toEqual([{ text: "the Alps", answer_start: 19 }]);
});

test("where flag and answers contradict each other, train refuses and dev does as the official script", () => {
  // The script looks at answers alone.
  expect(kindsIn(readTrain({ ...answered("Alps", 23), isImpossible: true }))).toEqual(["UnexpectedAnswer"]);
  expect(kindsIn(readTrain({ answers: [], isImpossible: false }))).toEqual(["MissingAnswer"]);
  expect(questionsIn(readDev({ ...answered("Alps", 23), isImpossible: true }))[0]?.is_impossible).toBe(false);
  expect(questionsIn(readDev({ answers: [], isImpossible: false }))[0]?.is_impossible).toBe(true);
});

test("a message names the character that differs", () => {
  const spaced = "ninety\u00a0metres deep";
  const differs = (text: string, passage: string) =>
    readDev({ context: passage, ...answered(text, 0) }).problems[0]?.what;
  expect(differs("ninety metres", spaced)).toContain("character 7: U+00A0 no-break space in the passage, U+0020 space");
  expect(differs("the rhine", context)).toContain('differs in case: the passage has "The Rhine"');
  expect(differs("caf\u00e9", "cafe\u0301 noir")).toContain("Unicode normalization (accents written apart)");
  expect(differs("deep it is", spaced)).toContain("the passage does not hold its text");
});

test("an answer that ends inside a character of its passage is no spelling of it, and the message names that character", () => {
  // Taken apart, "é" is "e" and an accent, and "½" begins with "1": a label up to there would be "caf", or nothing.
  const problemOf = (text: string, passage: string) =>
    readTrain({ context: passage, ...answered(text, 0) })
      .problems.map(({ kind, what }) => `${kind}: ${what}`)
      .join();
  const differs = (passage: string, answer: string) => `${passage} in the passage, ${answer} in the answer`;
  expect(problemOf("Cafe", "café noir")).toMatch(/^UnusableAnswer: .* at 0 it differs in character 4: /);
  expect(problemOf("Cafe", "café noir")).toContain(differs('U+00E9 "é"', 'U+0065 "e"'));
  expect(problemOf("1", "½ a metre")).toContain(differs('U+00BD "½"', 'U+0031 "1"'));
  expect(questionsIn(readTrain({ context: "café", ...answered("CAFÉ", 0) }))[0]?.answers?.[0]?.text).toBe("café");
});

test("offsets in UTF-16 units or bytes are told by the rows that fit one reading only, and converted", () => {
  // Before "clef": 𝄞 is 1 code point, 2 UTF-16 units, 4 bytes; é 1, 1 and 2; then two spaces and "a": 𝄞 é a clef.
  const music = "𝄞 é a clef";
  const read = (start: number) => readRows("train", [row({ context: music, ...answered("clef", start) })]);
  expect(questionsIn(read(6))[0]?.answers?.[0]?.answer_start).toBe(6);
  expect(read(6).notes).toEqual([]);
  expect(questionsIn(read(7))[0]?.answers?.[0]?.answer_start).toBe(6);
  expect(read(7).notes).toEqual(["answer_start counts UTF-16 units: positions were converted to code points"]);
  expect(questionsIn(read(10))[0]?.answers?.[0]?.answer_start).toBe(6);
  expect(read(10).notes).toEqual(["answer_start counts bytes: positions were converted to code points"]);
});

test("of several files each counts a unit of its own", () => {
  // "clef" stands at 6 in code points and at 7 in UTF-16 units; one vote over both files would leave them in code points.
  const music = "𝄞 é a clef, a clef";
  const of = (file: string, id: string, start: number) => row({ file, id, context: music, ...answered("clef", start) });
  const read = readRows("train", [of("a.json", "a", 6), of("b.json", "b", 7)]);
  expect(questionsIn(read).map(({ answers }) => answers?.[0]?.answer_start)).toEqual([6, 6]);
  expect(read.notes).toEqual(["b.json: answer_start counts UTF-16 units: positions were converted to code points"]);
});

test("one row that fits code points alone keeps the whole file in code points", () => {
  const music = "𝄞 a clef, a clef";
  // "clef" stands at 4 and 12; in UTF-16 units at 5 and 13.
  const rows = [
    row({ context: music, ...answered("clef", 4) }),
    row({ id: "r", context: music, ...answered("clef", 13) }),
  ];
  const read = readRows("train", rows);
  expect(read.notes).toEqual([]);
  expect(read.problems[0]?.what).toContain("it stands there in UTF-16 units, while other rows count code points");
});

test("ids are unique within a split: made where absent, numbered in train, refused in dev", () => {
  const rows = ["7", 7, "7#2", null, undefined].map((id, i) =>
    row({ id, place: `line ${i + 1}`, ...answered("Alps", 23) }),
  );
  expect(questionsIn(readRows("train", rows)).map(({ id }) => id)).toEqual(["7", "7#3", "7#2", "line 4", "line 5"]);
  expect(kindsIn(readRows("dev", rows.slice(0, 2)))).toEqual(["DuplicateId"]);
  expect(kindsIn(readTrain({ ...answered("Alps", 23), id: "__proto__" }))).toEqual(["BadId"]);
});

test("a row whose texts cannot be read is refused by what is wrong", () => {
  const what = (changes: Partial<RawRow>) => readTrain({ ...answered("Alps", 23), ...changes }).problems[0]?.what;
  expect(what({ question: " " })).toBe("the question is empty");
  expect(what({ context: { a: 1 } })).toBe("context: expected a text, got an object");
  expect(what({ title: [] })).toBe("title: expected a text or a number, got an array");
  expect(what({ question: "a\0b" })).toBe("the question holds a NUL character");
  expect(what({ id: "a\ud83d" })).toBe("the id holds a lone surrogate");
  expect(what({ answers: [{ text: "Alps", answer_start: "soon" }] })).toBe(
    'answer_start: expected a whole number, got "soon"',
  );
  expect(what({ answers: { text: ["a", "b"], answer_start: [1] } })).toContain("got 2 texts and 1 in answer_start");
});

test("firstQuestions counts before the checks", () => {
  const rows = [row({ context: 7 }), row({ id: "r", ...answered("Alps", 23) })];
  expect(questionsIn(readRows("train", rows, { firstQuestions: 1 }))).toEqual([]);
});

test("266 wrong offsets in a passage of 200,000 characters take linear time each", () => {
  // "e" stands 40,000 times; each message looks at the first 1,000 places and counts none of them anew. Before, 84 s.
  const long = "reuse ".repeat(33_334);
  const rows = Array.from({ length: 266 }, (_, i) =>
    row({ id: `q${i}`, context: `${long}ä`, ...answered("e", 6 * i) }),
  );
  const read = readRows("dev", rows);
  expect(read.problems).toHaveLength(266);
  expect(read.problems[1]?.what).toContain("it stands in 1000 places");
});

test("an id with control characters makes no line of its own and commands no terminal", () => {
  const { problems } = readRows("train", [row({ id: "a\n\u009b2Jb", question: "" })]);
  expect(describeProblems("train", problems)).toEqual([expect.stringContaining("a\\n\\x9b2Jb")]);
});

test("what was left out is one sentence a split, from the manifest's counts", () => {
  const { problems } = readRows("train", [row({ question: "" }), row({ ...answered("Rhine", 9) })]);
  expect(describeLeftOut(problemCounts("train", problems), ["train", "dev"])).toEqual([
    "train: 1 × empty text (left out), 1 × answer with a wrong position that stands in one other place",
  ]);
  expect(describeProblems("train", problems)).toEqual([
    'train: question "q" of "Rivers" (line 1): the question is empty',
    'train: question "q" of "Rivers" (line 1): answer "Rhine" does not stand at 9 but at 4, its only place',
  ]);
});
