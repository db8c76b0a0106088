import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { defaultApiLimits, defaultLimits } from "../src/limits.ts";
import { temporaryFolder, writeTinyExport } from "./tiny-export.ts";

const bin = join(import.meta.dirname, "../bin/bertqa.mjs");
const passage = "Ada Lovelace wrote the program in 1843. It is the engine of it, where Ada wrote on it.";

interface Run {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** The command as a user runs it, in a folder of its own. */
async function bertqa(args: readonly string[], { input = "", cwd = process.cwd() } = {}): Promise<Run> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [bin, ...args], { cwd }, (error, stdout, stderr) => {
      resolve({ stdout, stderr, code: error ? Number(error.code) : 0 });
    });
    child.stdin!.end(input);
  });
}

test("ask answers several questions from a passage on standard input, each answer marked in its sentence", async () => {
  const model = await writeTinyExport(await temporaryFolder());
  const args = ["ask", "--model", model, "--context", "-", "Who wrote it?", "Where is it?"];
  const { stdout, code } = await bertqa(args, { input: passage });
  expect(code).toBe(0);
  const [first, second] = stdout.trim().split("\n\n");
  expect(first).toMatch(/^Who wrote it\?\n {2}.+ · probability 0\.\d\d · characters \d+–\d+\n {2}.*\[.+\]/);
  expect(second).toMatch(/^Where is it\?\n/);
});

test("ask reads JSON Lines and plain lines, and prints a line of JSON for each, with its id", async () => {
  const model = await writeTinyExport(await temporaryFolder());
  const lines = [JSON.stringify({ id: 7, question: "Who wrote it?", context: passage }), "", "Where is it?"];
  const folder = await temporaryFolder();
  await writeFile(join(folder, "passage.txt"), passage);
  const args = ["ask", "--model", model, "--questions", "-", "--context", "passage.txt", "--json", "--top-k", "2"];
  const { stdout } = await bertqa(args, { input: lines.join("\n"), cwd: folder });
  const answers = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(answers.map(({ id, question }) => [id, question])).toEqual([
    [7, "Who wrote it?"],
    [undefined, "Where is it?"],
  ]);
  for (const { answer, span, candidates } of answers) {
    expect(passage.slice(...(span as { utf16: [number, number] }).utf16)).toBe(answer);
    expect(candidates).toHaveLength(2);
  }
});

test("ask searches documents, names file and line, and says what the threshold was tuned on", async () => {
  const model = await writeTinyExport(await temporaryFolder());
  const folder = await temporaryFolder();
  await mkdir(join(folder, "docs/notes"), { recursive: true });
  await writeFile(join(folder, "docs/notes/ada.md"), `# Notes\n\n${"a b c. ".repeat(300)}\n\nAda wrote the program.\n`);
  await writeFile(join(folder, "docs/other.txt"), "Nothing of it.");
  await writeFile(join(folder, "docs/.hidden.txt"), "Ada wrote the program.");
  await symlink("notes/ada.md", join(folder, "docs/link.md"));
  const { stdout, stderr } = await bertqa(
    ["ask", "--model", model, "--documents", "docs", "--passages", "1", "Which program?"],
    { cwd: folder },
  );
  expect(stdout).toMatch(/ · probability 0\.\d\d · notes\/ada\.md:5\n/);
  expect(stderr).toMatch(/^warning: left out: 1 symbolic link among the documents, such as link\.md\n/);
  expect(stderr).toContain("tuned on single passages");
});

test("ask without --model takes the newest export of the workspace, from any folder below it", async () => {
  const workspace = await temporaryFolder();
  await writeTinyExport(join(workspace, "artifacts/mine/export"));
  await mkdir(join(workspace, "a/b"), { recursive: true });
  await writeFile(join(workspace, "a/b/passage.txt"), passage);
  const args = ["ask", "--context", "passage.txt", "Who wrote it?"];
  expect((await bertqa(args, { cwd: join(workspace, "a/b") })).code).toBe(0);
  const { stderr, code } = await bertqa(["ask", "--context", "x", "Who?"], { cwd: await temporaryFolder() });
  expect({ stderr, code }).toEqual({
    stderr:
      "bertqa: there is no export here to ask. Give one with --model DIR, or make one: npx nx run <pipeline>:export.\n",
    code: 1,
  });
});

test("score prints the official scores, and the instruction sets that int8 results depend on", async () => {
  const model = await writeTinyExport(await temporaryFolder());
  const data = join(await temporaryFolder(), "data.json");
  const answers = [{ text: "Ada", answer_start: 0 }];
  const qas = [
    { id: "a", question: "Who wrote it?", answers },
    { id: "b", question: "Where is it?", answers: [], is_impossible: true },
  ];
  await writeFile(data, JSON.stringify({ data: [{ title: "t", paragraphs: [{ context: passage, qas }] }] }));
  const { stdout } = await bertqa(["score", "--model", model, "--data", data, "--precision", "float32"]);
  const scores = JSON.parse(stdout) as Record<string, unknown>;
  // The made-up model always answers, so that the question without an answer scores 0.
  expect(scores).toMatchObject({ total: 2, NoAns_exact: 0, NoAns_total: 1, precision: "float32" });
  expect(scores["processor"]).toMatch(/\(.+\)$/);
});

test("score reads a file as fetch reads dev files: numbers for ids, flags as text, no list of data; what is left out is counted", async () => {
  const model = await writeTinyExport(await temporaryFolder());
  const data = join(await temporaryFolder(), "data.json");
  const qas = [
    { id: 7, question: "Who wrote it?", answers: { text: ["Ada"], answer_start: [0] } },
    { id: 8, question: "Where is it?", answers: [], is_impossible: "true" },
    { id: 9, question: " ", answers: [] },
  ];
  await writeFile(data, `\ufeff${JSON.stringify([{ title: "t", paragraphs: [{ context: passage, qas }] }])}`);
  const { stdout, stderr, code } = await bertqa(["score", "--model", model, "--data", data]);
  expect({ stderr, code }).toMatchObject({ code: 0 });
  expect(JSON.parse(stdout)).toMatchObject({ total: 2, HasAns_total: 1, NoAns_total: 1, precision: "int8" });
  expect(stderr).toContain("warning: left out: 1 × empty text\n");
});

test("score refuses rows and tables in one line that says what makes them a SQuAD file", async () => {
  const model = await writeTinyExport(await temporaryFolder());
  const data = join(await temporaryFolder(), "rows.json");
  await writeFile(data, JSON.stringify([{ question: "Who?", context: passage }]));
  const { stderr, code } = await bertqa(["score", "--model", model, "--data", data]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^score: the data is no SQuAD file: .* npx bertqa import --as dev\. \(.*rows\.json\)\n$/);
});

test.each([
  [["ask", "--context", "-", ""], "ask: the question is empty."],
  [["ask", "--context", "-"], "ask: there is no question. Give one"],
  [["ask", "Who?"], 'ask: there is no passage for the question "Who?". Give one with --context FILE'],
  [["ask", "--context", "/nowhere", "Who?"], "bertqa: the passage cannot be read: ENOENT"],
  [["ask", "--documents", "/nowhere", "Who?"], "bertqa: there is no folder /nowhere."],
  [["ask", "--context", "x.txt", "--documents", ".", "Who?"], "ask: a question has both a passage and documents"],
  [["score", "--data", "/nowhere"], "bertqa: the data cannot be read: ENOENT"],
])("%j is refused in one line", async (args, line) => {
  const model = await writeTinyExport(await temporaryFolder());
  const { stderr, code } = await bertqa([...args, "--model", model]);
  expect(stderr.startsWith(line), stderr).toBe(true);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(code).toBe(1);
});

test("a question with a context of its own is not searched for in documents", async () => {
  const line = JSON.stringify({ question: "Who wrote it?", context: passage });
  const { stderr, code } = await bertqa(["ask", "--documents", ".", "--questions", "-"], { input: line });
  expect(stderr).toMatch(/^ask: a question has both a passage and documents [^\n]+\n$/);
  expect(code).toBe(1);
});

test("the help of each command says how long a passage it takes", async () => {
  const said = async (command: string) => (await bertqa([command, "--help"])).stdout.replace(/\s+/g, " ");
  expect(await said("ask")).toContain(`refuse longer passages; default ${defaultLimits.maxPassageCharacters}`);
  expect(await said("serve")).toContain(`refuse longer passages; default ${defaultApiLimits.passageCharacters}`);
});

test("the help of --threads says what each command does without it", async () => {
  const said = async (command: string) => (await bertqa([command, "--help"])).stdout.replace(/\s+/g, " ");
  expect(await said("ask")).toContain("--threads <n> threads; default: all physical cores, at most 4");
  expect(await said("serve")).toContain(
    "--threads <n> threads of all copies together; default: all physical cores for",
  );
});

test("a command whose output nobody reads any more ends quietly", async () => {
  const model = await writeTinyExport(await temporaryFolder());
  const child = execFile(process.execPath, [bin, "ask", "--model", model, "--context", "-", "--json", "Who wrote it?"]);
  child.stdout!.destroy();
  child.stdin!.end(passage);
  let said = "";
  child.stderr!.on("data", (text: string) => (said += text));
  expect(await once(child, "close")).toEqual([0, null]);
  expect(said).toBe("");
});

test("bad usage exits with 2", async () => {
  expect((await bertqa(["ask", "--top-k", "0", "Who?"])).code).toBe(2);
  expect((await bertqa(["score"])).code).toBe(2);
});
