import { questionsOf, readRows } from "@bertqa/squad";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { splitOffTune } from "../../tokenize/src/tune-split.ts";
import { openQuestionFile, rowsOfText, splitByDocument } from "../src/index.ts";

const fixtures = join(import.meta.dirname, "fixtures");
const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function openBytes(content: string | Uint8Array) {
  const folder = await mkdtemp(join(tmpdir(), "bertqa-formats-"));
  folders.push(folder);
  await writeFile(join(folder, "file"), content);
  return openQuestionFile("import", join(folder, "file"), { name: "file" });
}

const context = "The ferry Solveig crosses the fjord twice a day. It was built in Bergen in 1974.";
const read = (rows: Parameters<typeof readRows>[1]) => readRows("train", rows);
const questionsIn = (rows: Parameters<typeof readRows>[1]) =>
  read(rows).articles.flatMap(({ paragraphs }) => paragraphs.flatMap(({ qas }) => qas));

test("Parquet as datasets writes it, with any usual compression; a 64-bit id keeps its digits", async () => {
  // Written by pyarrow 26 from three rows; the third passage begins with an emoji, so its offsets are code points.
  for (const name of ["rows-snappy.parquet", "rows-zstd.parquet"]) {
    const { format, rows } = await openQuestionFile("import", join(fixtures, name));
    expect(format).toBe("Parquet");
    expect(read(rows).problems).toEqual([]);
    const questions = questionsIn(rows);
    expect(questions.map(({ id }) => id)).toEqual(["9007199254740993", "2", "3"]);
    expect(questions.map(({ is_impossible }) => is_impossible)).toEqual([false, true, false]);
    expect(questions[2]?.answers).toEqual([
      { text: "Bergen", answer_start: 67 },
      { text: "in Bergen", answer_start: 64 },
    ]);
  }
  await expect(openQuestionFile("import", join(fixtures, "other-columns.parquet"))).rejects.toThrow(
    "its columns are text, label, expected context, question and answer",
  );
});

/** The fixture with other bytes at some places. */
async function damagedParquet(bytes: Readonly<Record<number, number>>): Promise<Buffer> {
  const content = await readFile(join(fixtures, "rows-snappy.parquet"));
  for (const [at, byte] of Object.entries(bytes)) content[Number(at)] = byte;
  return content;
}

test("a Parquet file damaged in a column and in its schema is refused once: no error that nobody waits for is left", async () => {
  const left: unknown[] = [];
  const listen = (reason: unknown) => void left.push(reason);
  process.on("unhandledRejection", listen);
  onTestFinished(() => void process.off("unhandledRejection", listen));
  await expect(openBytes(await damagedParquet({ 225: 43, 1136: 117 }))).rejects.toThrow(
    "import: file is not a readable Parquet file: parquet schema element not found",
  );
  await setImmediate();
  expect(left).toEqual([]);
});

test("a Parquet file whose schema counts −1 children is refused, where hyparquet's marks of geometry columns never end", async () => {
  await expect(openBytes(await damagedParquet({ 1038: 5 }))).rejects.toThrow("is not a readable Parquet file");
});

test("gzip of any of them is read", async () => {
  const json = await readFile(join(fixtures, "files/09b-run_qa-rows/train.json"));
  expect(await openBytes(gzipSync(json))).toMatchObject({ format: "rows, gzip", rows: [{ id: "t1" }] });
  const parquet = await readFile(join(fixtures, "rows-snappy.parquet"));
  expect((await openBytes(gzipSync(parquet))).format).toBe("Parquet, gzip");
  await expect(openBytes(gzipSync(json).subarray(0, 60))).rejects.toThrow("file is not a whole gzip file");
});

test("a table by any delimiter, with quoted line breaks, numbered as in a spreadsheet", () => {
  for (const delimiter of [",", ";", "\t", "|"]) {
    const header = ["Question", "Context", "Answer", "answer start"].join(delimiter);
    const cells = ['"Where?\n(town)"', `"${context}"`, "Bergen", "65"].join(delimiter);
    const { rows } = rowsOfText(`${header}\n${cells}\n\n${cells}\n`);
    expect(rows.map(({ place }) => place)).toEqual(["row 2", "row 4"]);
    expect(questionsIn(rows)[0]).toEqual({
      ...{ id: "row 2", question: "Where?\n(town)", is_impossible: false },
      answers: [{ text: "Bergen", answer_start: 65 }],
    });
  }
});

test("blank lines and rows above a header are passed over, and counted", async () => {
  for (const above of ["\n\n", " \r\n,,\r\n"]) {
    const end = above.includes("\r") ? "\r\n" : "\n";
    const table = ["context,question,answer", `${context},Where?,Bergen`].join(end);
    const { rows } = rowsOfText(above + table);
    expect(rows.map(({ place }) => place)).toEqual(["row 4"]);
    expect(questionsIn(rows)[0]?.answers).toEqual([{ text: "Bergen", answer_start: 65 }]);
    await expect(openBytes(`${above}${table}${end}a,b,c,d`)).rejects.toThrow("row 5 has 4 cells, the header 3");
  }
  await expect(openBytes("\n\nname,age\nAda,36\n")).rejects.toThrow('its first line is "name,age"');
});

test("an answers cell may hold what Python prints; one that only looks like a list is a text", () => {
  const cell = (answers: string) => {
    const { rows } = rowsOfText(
      `context,question,answers\n"It's in [1], ""Bergen"".",Where?,"${answers.replaceAll('"', '""')}"\n`,
    );
    return questionsIn(rows)[0]?.answers?.map(({ text }) => text);
  };
  expect(cell("{'text': ['Bergen'], 'answer_start': [14]}")).toEqual(["Bergen"]);
  expect(
    cell(`{'text': array(["It's", 'Bergen'], dtype=object), 'answer_start': array([ 0, 14], dtype=int32)}`),
  ).toEqual(["It's", "Bergen"]);
  expect(cell('[{"text": "Bergen", "answer_start": 14}]')).toEqual(["Bergen"]);
  expect(cell("Bergen")).toEqual(["Bergen"]);
  expect(cell("{'text': [], 'answer_start': []}")).toEqual([]);
  expect(cell("")).toEqual([]);
  expect(cell("{'text': [np.str_('Bergen')], 'answer_start': [np.int64(14)]}")).toEqual(["Bergen"]);
  expect(cell("{'text': ['Bergen'], 'answer_start': array([14.])}")).toEqual(["Bergen"]);
  expect(cell("{'text': ['Bergen'], 'answer_start': array([1.4e+01])}")).toEqual(["Bergen"]);
  expect(cell("{'text': ['Bergen'], 'answer_start': array([14.5])}")).toBeUndefined();
});

test("a position beside a list of one answer is not lost", () => {
  // "Ada" stands at 0 and at 11.
  const passage = "Ada met an Ada.";
  const startsOf = (text: string) =>
    questionsIn(rowsOfText(text).rows).map(({ answers }) => answers?.[0]?.answer_start);
  expect(
    startsOf(JSON.stringify([{ context: passage, question: "Who?", answers: ["Ada"], answer_start: 11 }])),
  ).toEqual([11]);
  for (const [column, cell] of [
    ["answer_start", "11"],
    ["start", "[11]"],
  ] as const) {
    expect(startsOf(`context,question,answers,${column}\n${passage},Who?,['Ada'],${cell}\n`)).toEqual([11]);
  }
});

test("a position in a column of its own is that of the answers beside it, whatever their shape", () => {
  const startsOf = (row: object) => {
    const { rows } = rowsOfText(JSON.stringify([{ context: "Ada met an Ada.", question: "Who?", ...row }]));
    return questionsIn(rows).flatMap(({ answers = [] }) => answers.map(({ answer_start }) => answer_start));
  };
  for (const answers of ["Ada", ["Ada"], { text: "Ada" }, { text: ["Ada"] }, [{ text: "Ada" }]]) {
    expect(startsOf({ answers, answer_start: 11 })).toEqual([11]);
    expect(startsOf({ answers, answer_start: [11] })).toEqual([11]);
  }
  expect(startsOf({ answers: { text: ["Ada", "met"] }, answer_start: [11, 4] })).toEqual([11, 4]);
  // What an answer says itself comes first.
  expect(startsOf({ answers: [{ text: "Ada", answer_start: 11 }], start: [0] })).toEqual([11]);
  expect(startsOf({ answers: { text: ["Ada"], answer_start: [11] }, start: 0 })).toEqual([11]);
});

test("names in camel case are those with underscores", () => {
  const asked = { context: "Ada met an Ada.", questionText: "Who?", questionId: 7 };
  const table = "context,questionText,questionId,answer,answerStart\nAda met an Ada.,Who?,7,Ada,11\n";
  const rows = [
    { ...asked, answer: "Ada", answerStart: 11 },
    { ...asked, answers: [{ text: "Ada", answerStart: 11 }] },
    { ...asked, answers: { text: ["Ada"], answerStart: [11] } },
  ];
  for (const text of [table, ...rows.map((row) => JSON.stringify([row]))]) {
    expect(questionsIn(rowsOfText(text).rows)).toMatchObject([
      { id: "7", question: "Who?", answers: [{ text: "Ada", answer_start: 11 }] },
    ]);
  }
  const impossible = rowsOfText(JSON.stringify([{ ...asked, isImpossible: true }])).rows;
  expect(questionsIn(impossible)[0]?.is_impossible).toBe(true);
});

test("a CSV export of Label Studio or of Haystack's annotations says in JSON what its answers are, whatever key comes first", () => {
  const cells = [
    [{ start: 11, end: 14, text: "Ada", labels: ["Answer"] }],
    [{ answer_id: 3, text: "Ada", answer_start: 11 }],
  ].map((answers) => `Ada met an Ada.,Who?,"${JSON.stringify(answers).replaceAll('"', '""')}"`);
  const { rows } = rowsOfText(["text,question,answer", ...cells, "Ada met an Ada.,Where?,"].join("\n"));
  expect(questionsIn(rows).map(({ answers }) => answers)).toEqual([
    [{ text: "Ada", answer_start: 11 }],
    [{ text: "Ada", answer_start: 11 }],
    [],
  ]);
});

test.each([
  ["answer,answer", '"answer" and "answer"'],
  ["Answer,answer", '"Answer" and "answer"'],
  ["answer,answers", '"answers" and "answer"'],
  ["is_impossible,impossible", '"is_impossible" and "impossible"'],
  ["answer,Question", '"question" and "Question"'],
  ["answer_start,answerStart", '"answer_start" and "answerStart"'],
])("a table in which two columns mean the same is refused: %s", async (last, pair) => {
  const text = `context,question,${last}\n"Ada bakes bread.",Who bakes?,Ada,\n`;
  await expect(openBytes(text)).rejects.toThrow(
    `import: file: its columns ${pair} mean the same. Keep one of them, or rename the other.`,
  );
});

test("columns that are not read may be there twice, and a label beside answers is no answer", () => {
  const { rows } = rowsOfText(`context,question,answer,note,note,label\n"Ada bakes bread.",Who bakes?,Ada,,x,easy\n`);
  expect(questionsIn(rows)[0]?.answers).toEqual([{ text: "Ada", answer_start: 0 }]);
});

test("answers under two names that say different things are that row's problem, in rows and in SQuAD", () => {
  const given = [
    { answers: null, answer: "Bergen" },
    { answers: "", answer: "Bergen" },
    { answers: ["Bergen"], answer: ["Bergen"] },
    { answers: [], answer: "Bergen" },
    { answers: ["Bergen"], answer: "1974" },
  ];
  const questions = given.map((answers, i) => ({ id: String(i), question: "Where?", ...answers }));
  const asRows = questions.map((question) => ({ context, ...question }));
  for (const value of [asRows, [{ context, qas: questions }]]) {
    const { rows } = rowsOfText(JSON.stringify(value));
    expect(questionsIn(rows).map(({ id, answers }) => [id, answers?.[0]?.text])).toEqual(
      ["0", "1", "2"].map((id) => [id, "Bergen"]),
    );
    expect(read(rows).problems.map(({ what }) => what)).toEqual(
      Array.from({ length: 2 }, () => "answers and answer say different things: keep one of the two"),
    );
  }
});

test("a cell that looks like a literal and is none is that row's problem; in another column it is a text", () => {
  const lines = [
    "id,context,question,answers",
    `1,It is Bergen (1990).,When?,(1990)`,
    `2,It is Bergen (1990).,Where?,{'text': ['Bergen'`,
    `,{'text': 'x' is code},What?,code`,
    ` ,,"",`,
  ];
  const { rows } = rowsOfText(lines.join("\n"));
  expect(questionsIn(rows).map(({ id, answers }) => [id, answers])).toEqual([
    ["1", [{ text: "(1990)", answer_start: 13 }]],
    // Its cell for an id is empty.
    ["row 4", [{ text: "code", answer_start: 16 }]],
  ]);
  expect(read(rows).problems).toEqual([
    {
      kind: "Shape",
      where: 'question "2" (row 3)',
      what: expect.stringContaining("a cell of answers cannot be read: expected"),
    },
  ]);
});

test("one passage or one task alone is a list of one", () => {
  const passage = { context, qas: [{ id: "p", question: "Where?", answers: ["Bergen"] }] };
  const task = { id: 7, data: { text: context, question: "Where?" }, annotations: [{ result: [] }] };
  const readAlone = (value: unknown) => {
    const { format, rows } = rowsOfText(JSON.stringify(value));
    return [format, questionsIn(rows).map(({ id }) => id)];
  };
  expect(readAlone(passage)).toEqual(["a list of passages", ["p"]]);
  expect(readAlone(task)).toEqual(["Label Studio", ["7"]]);
});

test("columns of rows, as pandas' to_json() and to_dict write them", () => {
  const asked = { "5": "Where?", "12": "When?" };
  const text = { "5": ["Bergen"], "12": ["1974"] };
  const pandas = { title: { "5": "T", "12": null }, context: { "5": context, "12": context }, question: asked };
  const lists = { context: [context, context], question: ["Where?", "When?"], title: "T" };
  for (const [table, places] of [
    [{ ...pandas, answers: text }, ["[5]", "[12]"]],
    [{ ...lists, answers: Object.values(text).map((answers) => ({ text: answers })) }, ["[0]", "[1]"]],
  ] as const) {
    const { format, rows } = rowsOfText(JSON.stringify(table));
    expect(format).toBe("columns");
    expect(rows.map(({ place }) => place)).toEqual(places);
    expect(questionsIn(rows).map(({ question, answers }) => [question, answers?.[0]?.answer_start])).toEqual([
      ["Where?", 65],
      ["When?", 75],
    ]);
    expect(rows[0]?.title).toBe("T");
  }
  // A row that one column alone has is not passed over.
  const longer = rowsOfText(JSON.stringify({ ...lists, question: ["Where?", "When?", "Who?"] })).rows;
  expect(read(longer).problems.map(({ what }) => what)).toContain("context: expected a text, got nothing");
});

test("Label Studio: spans of each annotation, no span for no answer, no annotation for no label", () => {
  const span = (start: number, text: string) => ({
    type: "labels",
    value: { start, end: start + text.length, text, labels: ["Answer"] },
  });
  const task = (id: number, annotations: unknown[]) => ({
    id,
    data: { text: `🛥 ${context}`, question: "Where?" },
    annotations,
  });
  const { format, rows } = rowsOfText(
    JSON.stringify([
      // "🛥 " is 3 UTF-16 units and 2 code points: 68 in Label Studio, 67 in SQuAD.
      task(1, [
        { result: [span(68, "Bergen")] },
        { result: [span(65, "in Bergen")] },
        { result: [], was_cancelled: true },
      ]),
      task(2, [{ result: [] }]),
      task(3, [{ result: [] }, { result: [span(68, "Bergen")] }]),
    ]),
  );
  expect(format).toBe("Label Studio");
  const { notes, problems } = read(rows);
  expect(notes).toEqual(["answer_start counts UTF-16 units: positions were converted to code points"]);
  expect(questionsIn(rows).map(({ id, answers }) => [id, answers?.map((answer) => answer.answer_start)])).toEqual([
    ["1", [67, 64]],
    ["2", []],
  ]);
  expect(problems.map(({ what }) => what)).toEqual([
    "1 of 2 annotations mark no answer, the others do: keep one of the two",
  ]);
  const unlabelled = rowsOfText(JSON.stringify([task(4, [])])).rows;
  expect(readRows("dev", unlabelled).articles[0]?.paragraphs[0]?.qas).toEqual([{ id: "4", question: "Where?" }]);
});

test("Label Studio: an answer that is no labelled span is a problem of its row, not a question without answer", () => {
  const region = { start: 65, end: 71, text: "Bergen" };
  const results = [
    [{ type: "hypertextlabels", value: { ...region, hypertextlabels: ["Answer"] } }],
    [{ type: "paragraphlabels", value: { start: "0", end: "0", paragraphlabels: ["Answer"] } }],
    [{ type: "textarea", value: { text: ["Bergen"] } }],
    [{ type: "choices", value: { choices: ["hard"] } }],
    [
      { id: "s", type: "labels", value: { ...region, labels: ["Answer"] } },
      { id: "s", type: "choices", value: { ...region, choices: ["sure"] } },
    ],
  ];
  const tasks = results.map((result, id) => ({
    id,
    data: { text: context, question: "Where?" },
    annotations: [{ result }],
  }));
  const { rows } = rowsOfText(JSON.stringify(tasks));
  expect(questionsIn(rows).map(({ id, answers }) => [id, answers?.length])).toEqual([
    ["3", 0],
    ["4", 1],
  ]);
  expect(read(rows).problems.map(({ what }) => what)).toEqual(
    ["hypertextlabels", "paragraphlabels", "textarea"].map(
      (type) => `an answer of type ${type} is not read: expected labels`,
    ),
  );
});

test("rows of one title that follow each other are an article, of one passage a paragraph", () => {
  const line = (title: string | null, passage: string) =>
    JSON.stringify({ title, context: passage, question: "q?", answers: [] });
  const { rows } = rowsOfText(
    [line("A", "x"), line("A", "x"), line("A", "y"), line(null, "z"), line(null, "w")].join("\n"),
  );
  expect(read(rows).articles.map(({ paragraphs }) => paragraphs.map(({ qas }) => qas.length))).toEqual([
    [2, 1],
    [1],
    [1],
  ]);
});

test("rows without a title whose passages take turns: neither dev nor tune has a passage of train", () => {
  // 20 passages of 3 questions: row 2 is of passage 0, row 3 of passage 1, row 22 of passage 0 again.
  const lines = Array.from({ length: 60 }, (_, i) => `Town ${i % 20} is old.,Q${i}?,Town ${i % 20}`);
  const { articles } = read(rowsOfText(["context,question,answer", ...lines].join("\n")).rows);
  expect(articles.map(({ paragraphs }) => paragraphs.map(({ qas }) => qas.map(({ id }) => id)))).toEqual(
    Array.from({ length: 20 }, (_, i) => [[`row ${i + 2}`, `row ${i + 22}`, `row ${i + 42}`]]),
  );
  const contextsOf = (data: typeof articles) => questionsOf({ data }).map(({ context: passage }) => passage);
  const { train, dev } = splitByDocument(articles, 0.1, (items) => [...items]);
  expect(contextsOf(dev).filter((passage) => contextsOf(train).includes(passage))).toEqual([]);
  const parts = splitOffTune(questionsOf({ data: articles }), { share: 0.1, seed: 42 });
  const learned = new Set(parts.train.map(({ context: passage }) => passage));
  expect([parts.tune.length, parts.tune.filter(({ context: passage }) => learned.has(passage))]).toEqual([6, []]);
});

test("documents that share a passage, also by way of another, are in one part; where all share one, passages are divided", () => {
  const document = (title: string, ...passages: string[]) => ({
    title,
    paragraphs: passages.map((passage) => ({
      context: passage,
      qas: [{ id: `${title} ${passage}`, question: "q?", answers: [], is_impossible: true }],
    })),
  });
  const contextsOf = (data: readonly ReturnType<typeof document>[]) =>
    data.flatMap(({ paragraphs }) => paragraphs.map(({ context: passage }) => passage));
  const alone = Array.from({ length: 10 }, (_, i) => document(`Note ${i}`, `note ${i}`, `more ${i}`));
  const chain = [document("B", "b", "c"), document("A", "a"), document("C", "a", "c")];
  const all = Array.from({ length: 12 }, (_, i) => document(`Form ${i}`, `form ${i}`, "licence"));
  for (const [articles, unit] of [
    [[...chain, ...alone], "document"],
    [all, "passage"],
  ] as const) {
    for (const order of [articles, articles.toReversed()]) {
      for (const share of [0.05, 0.1, 0.2, 0.5]) {
        const parts = splitByDocument(order, share, (items) => [...items]);
        expect(parts.unit).toBe(unit);
        const [train, dev] = [contextsOf(parts.train as typeof all), contextsOf(parts.dev as typeof all)];
        expect(dev.length).toBeGreaterThan(0);
        expect(dev.filter((passage) => train.includes(passage))).toEqual([]);
        expect(train.length + dev.length).toBe(contextsOf(articles).length);
      }
    }
  }
});

test("a document of half the questions does not become dev where a tenth is asked, whatever the order", () => {
  const article = (title: string, questions: number) => ({
    title,
    paragraphs: [
      { context: title, qas: Array.from({ length: questions }, (_, i) => ({ id: `${title}${i}`, question: "q?" })) },
    ],
  });
  const asked = (articles: readonly { paragraphs: readonly { qas: readonly unknown[] }[] }[]) =>
    articles.flatMap(({ paragraphs }) => paragraphs.flatMap(({ qas }) => qas)).length;
  const small = Array.from({ length: 10 }, (_, i) => article(`Note ${i}`, 9));
  const { train, dev } = splitByDocument([article("Handbook", 90), ...small], 0.1, (items) => [...items]);
  // 18 of 180 are asked for.
  expect([asked(train), asked(dev)]).toEqual([162, 18]);
  // Two passages: each is more than is asked for.
  const pair = splitByDocument([article("Large", 8), article("Small", 2)], 0.1, (items) => [...items]);
  expect([pair.train[0]?.title, pair.dev[0]?.title]).toEqual(["Large", "Small"]);
});

test("names that published sets have: CMRC 2018's query_text, MRQA's qid after a header", () => {
  const cmrc = [
    { context_text: context, title: "T", qas: [{ query_text: "Where?", query_id: "c1", answers: ["Bergen"] }] },
  ];
  const mrqa = [
    { header: { dataset: "x" } },
    { id: "p", context, qas: [{ question: "Where?", qid: "m1", answers: ["Bergen"] }] },
  ];
  const lines = mrqa.map((line) => JSON.stringify(line)).join("\n");
  for (const [text, id] of [
    [JSON.stringify(cmrc), "c1"],
    [lines, "m1"],
  ] as const) {
    const [question] = questionsIn(rowsOfText(text).rows);
    expect(question).toMatchObject({ id, question: "Where?", answers: [{ text: "Bergen", answer_start: 65 }] });
  }
});

test("what is not read is named, with what to do", async () => {
  const cases: [string | Uint8Array, string][] = [
    [
      "PK\x03\x04…",
      "file: this is a zip archive or an Excel workbook, which is not read. Unpack it, or save the sheet as CSV.",
    ],
    [Uint8Array.of(0x80, 4), "a pickle file, which could run code"],
    ["version https://git-lfs.github.com/spec/v1\noid sha256:53aa5117\nsize 9\n", "this is a pointer of Git LFS"],
    [Uint8Array.of(0x41, 0xe4, 0x0a), "is not UTF-8. Save it as UTF-8"],
    ["", "file is empty"],
    ["{}", "got an object, expected an object with a list"],
    ["null", "is not in a known layout: got null, expected an object with a list"],
    ["[]x", "is not valid JSON"],
    ['{"q1": "Bergen"}', "this looks like predictions by question id"],
    ['{"text": "a", "label": [[0, 1, "X"]]}\n{"text": "b", "label": []}', "this looks like a doccano export"],
    ['[{"a": 1}]', "got entries with a ([0])"],
    ["name,age\nAda,36\n", 'is neither JSON nor a table of questions: its first line is "name,age"'],
    ['context,question,answer\n"x,y\n', "is not valid CSV"],
    ['{"context": "x", "question": "y"}\n{"context": }', "line 2 of its JSON Lines is not valid JSON"],
    ['{"context": "x", "question": "y"}\n{"context": "x" 1}', "in JSON at position 16 (column 17)"],
  ];
  for (const [content, message] of cases) await expect(openBytes(content)).rejects.toThrow(message);
  await expect(openQuestionFile("import", "/nowhere/at/all")).rejects.toThrow("/nowhere/at/all does not exist");
  await expect(openQuestionFile("import", fixtures, { name: "own" })).rejects.toThrow(
    "import: own is a folder. Name a file.",
  );
});

test("a file that Node cannot hold as one text is refused by its size, unread", async () => {
  const folder = await mkdtemp(join(tmpdir(), "bertqa-formats-"));
  folders.push(folder);
  const handle = await open(join(folder, "large.json"), "w");
  // A hole: it takes no room on disk.
  await handle.truncate(600_000_000);
  await handle.close();
  await expect(openQuestionFile("import", join(folder, "large.json"), { name: "large.json" })).rejects.toThrow(
    /large\.json has 600 MB, and Node\.js holds no text of more than 537 MB\. Take a part of it/,
  );
});
