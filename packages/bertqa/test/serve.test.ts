import { execFile } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bodyBytesFor, defaultApiLimits, defaultQueueLimits } from "../src/limits.ts";
import { loadQuestionAnswering } from "../src/node.ts";
import { Admission } from "../src/serve/admission.ts";
import { AnswerEngine } from "../src/serve/engine.ts";
import { openSharedServer, passage, post, startCommand, startServer, workspaceBin } from "./serve-support.ts";
import { temporaryFolder, writeTinyExport } from "./tiny-export.ts";

let small: Awaited<ReturnType<typeof openSharedServer>>;
beforeAll(async () => {
  small = await openSharedServer({ limitsOfApi: { passageCharacters: 2000, requestCharacters: 5000 } });
});
afterAll(() => small.stop());

test("the answers are those of the package, with ids and in order", async () => {
  const { address, folder } = await startServer();
  const questions = [
    { id: 7, question: "Who wrote it?", context: passage },
    { id: "b", question: "Where is it?", context: "The engine is on Ada." },
    { question: "What is it?", context: "" },
  ];
  const response = await post(address, "/v1/answers", { questions, topK: 3 });
  expect(response.status).toBe(200);
  const { answers } = (await response.json()) as { answers: Record<string, unknown>[] };
  expect(answers.map(({ id, question }) => [id, question])).toEqual([
    [7, "Who wrote it?"],
    ["b", "Where is it?"],
    [undefined, "What is it?"],
  ]);
  const qa = await loadQuestionAnswering(folder);
  for (const [i, { question, context }] of questions.entries()) {
    expect(answers[i]).toMatchObject(await qa.answer({ question, context, topK: 3 }));
  }
  await qa.dispose();
});

test("requests that come together run on copies of the model, and their answers are the same to the last bit", async () => {
  const { address, folder } = await startServer({ copies: 2 });
  const contexts = Array.from(
    { length: 12 },
    (_, i) => `${"the engine of it. ".repeat(1 + (i % 5))}Ada wrote ${i % 10}.`,
  );
  const answers = await Promise.all(
    contexts.map(async (context) => {
      const response = await post(address, "/v1/answers", { questions: [{ question: "Who wrote it?", context }] });
      return ((await response.json()) as { answers: object[] }).answers[0]!;
    }),
  );
  const qa = await loadQuestionAnswering(folder);
  const alone = await qa.answerAll(contexts.map((context) => ({ question: "Who wrote it?", context })));
  expect(answers).toEqual(alone.map((answer) => ({ question: "Who wrote it?", ...answer })));
  await qa.dispose();
});

test("with --batch-tokens, requests that come together share runs of the model, and each gets its own answers", async () => {
  const { address } = await startServer({ batchTokens: 2048 });
  const contexts = Array.from(
    { length: 24 },
    (_, i) => `${"the engine of it. ".repeat(1 + (i % 5))}Ada wrote ${i % 10}.`,
  );
  const answers = await Promise.all(
    contexts.map(async (context) => {
      const response = await post(address, "/v1/answers", { questions: [{ question: "Who wrote it?", context }] });
      return ((await response.json()) as { answers: { answer: string; span: { utf16: [number, number] } }[] })
        .answers[0]!;
    }),
  );
  for (const [i, { answer, span }] of answers.entries()) expect(contexts[i]!.slice(...span.utf16)).toBe(answer);
  const metrics = await (await fetch(`${address}/metrics`)).text();
  const [runs, windows] = ["count", "sum"].map((name) =>
    Number(new RegExp(`bertqa_batch_windows_${name} (\\d+)`).exec(metrics)![1]),
  ) as [number, number];
  expect(windows).toBeGreaterThanOrEqual(24);
  expect(runs).toBeLessThan(windows);
  expect(metrics).toContain("bertqa_questions_waiting 0");
});

test.each([
  ["no questions", { questions: [] }, 422, "invalid"],
  ["an unknown key", { questions: [{ question: "Who?", context: "a", extra: 1 }] }, 422, "invalid"],
  ["a blank question", { questions: [{ question: " \n", context: "a" }] }, 422, "invalid"],
  ["a long question", { questions: [{ question: "x".repeat(1001), context: "a" }] }, 422, "invalid"],
  ["a long passage", { questions: [{ question: "x", context: "a".repeat(2001) }] }, 422, "invalid"],
  [
    "long passages together",
    { questions: Array(3).fill({ question: "x", context: "a ".repeat(900) }) },
    422,
    "passages_too_long",
  ],
  ["too many questions", { questions: Array(65).fill({ question: "Who?", context: "a" }) }, 422, "too_many_questions"],
  ["a hundred thousand empty questions", { questions: Array(100_000).fill({}) }, 422, "too_many_questions"],
  ["topK 0", { questions: [{ question: "Who?", context: "a" }], topK: 0 }, 422, "invalid"],
  ["no object", "[]", 422, "invalid"],
  ["null", "null", 422, "invalid"],
  ["a key named __proto__", '{"questions":[{"question":"a","context":"b","__proto__":{}}]}', 400, "invalid_json"],
  ["deep arrays", `{"questions":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, 422, "invalid"],
])("%s is refused", async (_, body, status, code) => {
  const response = await post(small.address, "/v1/answers", body);
  const problem = (await response.json()) as { errors?: unknown[] };
  expect(problem).toMatchObject({ status, code });
  expect(response.status).toBe(status);
  expect(problem.errors?.length ?? 0).toBeLessThanOrEqual(20);
});

test.each([null, 1.5])("the refusal of the id %j says what an id may be", async (id) => {
  const response = await post(small.address, "/v1/answers", { questions: [{ id, question: "Who?", context: "a" }] });
  expect(await response.json()).toMatchObject({
    errors: [{ pointer: "/questions/0/id", detail: "is neither a text of at most 200 characters nor a whole number" }],
  });
});

test("a question may be as long in code points as the limit says, and texts may hold anything that JSON can", async () => {
  const { address } = small;
  const context = `Ada \ud800 wrote \u0000 it. ${"𝒳".repeat(50)} \u202e`;
  const questions = [{ question: "𝒳".repeat(1000), context }];
  const response = await post(address, "/v1/answers", { questions });
  expect(response.status).toBe(200);
  // 2 × 2,000 of the 5,000 code points that passages may have together, in 8,000 UTF-16 units.
  const together = Array(2).fill({ question: "Who?", context: "𝒳".repeat(2000) });
  expect((await post(address, "/v1/answers", { questions: together })).status).toBe(200);
});

test("a request within the limits is no body too large, written as Python does: each 𝒳 as two escapes", () => {
  const escaped = (characters: number) => String.raw`\ud835\udcb3`.repeat(characters);
  const { questions, questionCharacters, requestCharacters } = defaultApiLimits;
  const asked = Array(questions).fill({ id: "", question: "", context: "" });
  const texts = escaped(questions * (200 + questionCharacters) + requestCharacters);
  const bytes = JSON.stringify({ questions: asked, topK: 20 }, null, 4).length + texts.length;
  expect(bytes).toBeLessThan(bodyBytesFor(defaultApiLimits));
});

test("bertqa serve searches documents whose passages are longer than those that it takes, and logs a link left out", async () => {
  const [model, documents] = [await writeTinyExport(await temporaryFolder()), await temporaryFolder()];
  await writeFile(join(documents, "ada.md"), `Ada wrote the program. ${"It is the engine. ".repeat(80)}`);
  const flags = ["--model", model, "--documents", documents, "--max-passage-characters", "500"];
  await symlink("ada.md", join(documents, "link.md"));
  const { address, lines } = await startCommand(workspaceBin, flags);
  const found = await post(address, "/v1/search", { question: "Which program?" });
  expect(await found.json()).toMatchObject({ passagesRead: 1 });
  const msg = "left out: 1 symbolic link among the documents, such as link.md";
  expect(lines()).toContainEqual(expect.objectContaining({ level: "warn", msg }));
});

test("before the model is loaded the server runs, is not ready, and says when to come again", async () => {
  const { address } = await startServer({ isLoaded: false, isReady: () => false });
  expect((await fetch(`${address}/healthz`)).status).toBe(200);
  expect((await fetch(`${address}/readyz`)).status).toBe(503);
  const response = await post(address, "/v1/answers", { questions: [{ question: "Who?", context: "a" }] });
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
});

test("a full queue is refused with Retry-After; what waits is answered", async () => {
  const { address } = await startServer({ queue: { waitingQuestions: 4 } });
  const questions = Array(4).fill({ question: "Who wrote it?", context: passage.repeat(40) });
  const statuses = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const response = await post(address, "/v1/answers", { questions });
      if (response.status === 429) expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      return response.status;
    }),
  );
  expect(statuses).toContain(200);
  expect(statuses).toContain(429);
  expect(statuses.every((status) => status === 200 || status === 429)).toBe(true);
});

test("while a long passage is read, short ones are taken beside it; what would wait too long is refused", async () => {
  const admission = new Admission(defaultQueueLimits, { metrics: new Registry() });
  const ofLength = (characters: number) => [{ question: "Who?", context: "x".repeat(characters - 4) }];
  // 1,000 characters a window, 30 ms each.
  const readWindow = () => admission.observe({ windows: 1, tokens: 384, milliseconds: 30, ownMilliseconds: 30 });
  const short = async () => admission.run(ofLength(1000), () => Promise.resolve());
  await admission.run(ofLength(100_000), async (onProgress) => {
    for (let done = 1; done <= 100; done += 1) {
      readWindow();
      onProgress(done, 100);
      await short();
    }
  });
  // 600 windows are 18 s, 700 are 21 s; with 60 of them read, 640 are 19.2 s.
  const progresses: ((done: number, total: number) => void)[] = [];
  const hold = () =>
    void admission.run(ofLength(100_000), (onProgress) => new Promise(() => progresses.push(onProgress)));
  for (let i = 0; i < 6; i += 1) hold();
  await short();
  hold();
  await expect(short()).rejects.toMatchObject({ status: 429, extras: { retryAfterSeconds: 11 } });
  for (let done = 1; done <= 60; done += 1) {
    readWindow();
    progresses[0]!(done, 100);
  }
  await short();
});

test("a client that goes away takes its questions out of the queue", async () => {
  const { address, service } = await startServer();
  const questions = Array(64).fill({ question: "Who wrote it?", context: passage.repeat(35) });
  const client = new AbortController();
  const asked = fetch(`${address}/v1/answers`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ questions }),
    signal: client.signal,
  });
  const waiting = async () => {
    const [gauge] = (await service.metrics.getMetricsAsJSON()).filter(
      ({ name }) => name === "bertqa_questions_waiting",
    );
    return (gauge as unknown as { values: { value: number }[] }).values[0]!.value;
  };
  while ((await waiting()) === 0) await fetch(`${address}/healthz`);
  client.abort();
  await expect(asked).rejects.toThrow();
  while ((await waiting()) > 0) await fetch(`${address}/healthz`);
  const metrics = await (await fetch(`${address}/metrics`)).text();
  // 64 passages of 60 windows and more: far from all of them went through the model.
  expect(Number(/bertqa_batch_windows_sum (\d+)/.exec(metrics)![1])).toBeLessThan(64 * 60);
  expect(metrics).toContain('http_requests_abandoned_total{route="/v1/answers"} 1');
});

test("search reads the passages that share most, and names file and line", async () => {
  const documents = await temporaryFolder();
  await mkdir(join(documents, "notes"));
  await writeFile(join(documents, "notes/ada.md"), "# Notes\n\nAda wrote the program.\n");
  const { address } = await startServer({ documents });
  const response = await post(address, "/v1/search", { id: "s", question: "Which program?", passages: 2 });
  const found = (await response.json()) as {
    answers: { passage: string; answer: string; span: { utf16: [number, number] } }[];
  };
  expect(found).toMatchObject({ id: "s", question: "Which program?", passagesRead: 1 });
  const [best] = found.answers;
  expect(best).toMatchObject({ file: "notes/ada.md" });
  expect(best!.passage.slice(...best!.span.utf16)).toBe(best!.answer);
  const nothing = await post(address, "/v1/search", { question: "zzz" });
  expect(await nothing.json()).toEqual({ question: "zzz", answers: [], passagesRead: 0 });
  expect((await (await fetch(`${address}/v1/model`)).json()) as object).toMatchObject({
    name: "tiny",
    precision: "int8",
    documents: { files: 1, passages: 1 },
  });
});

test("the thread that serves stays free while the model runs", async () => {
  const { address } = await startServer();
  const questions = Array(32).fill({ question: "Who wrote it?", context: passage.repeat(60) });
  let isDone = false;
  const asked = post(address, "/v1/answers", { questions }).then((response) => {
    isDone = true;
    return response.status;
  });
  let answered = 0;
  while (!isDone) {
    expect((await fetch(`${address}/healthz`)).status).toBe(200);
    answered += 1;
  }
  expect(await asked).toBe(200);
  expect(answered).toBeGreaterThan(5);
});

test("bertqa serve prints its address, serves the page, and finishes what it took on SIGTERM", async () => {
  const model = await writeTinyExport(await temporaryFolder());
  const token = "a-token-of-more-than-22-characters";
  const server = await startCommand(workspaceBin, ["--model", model], { BERTQA_TOKEN: token });
  const { address, child, exit, lines } = server;
  const page = await fetch(`${address}/`);
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(await page.text()).toContain("<html");
  const again = await fetch(`${address}/`, { headers: { "if-none-match": page.headers.get("etag")! } });
  expect(again.status).toBe(304);
  const questions = Array(64).fill({ question: "Who wrote it?", context: passage.repeat(30) });
  expect((await post(address, "/v1/answers", { questions })).status).toBe(401);
  const headers = { authorization: `Bearer ${token}` };
  const asked = post(address, "/v1/answers", { questions }, headers);
  const waiting = async () => (await (await fetch(`${address}/metrics`, { headers })).text()).includes("waiting 64");
  while (!(await waiting()));
  child.kill("SIGTERM");
  const response = await asked;
  expect(response.status).toBe(200);
  expect(((await response.json()) as { answers: unknown[] }).answers).toHaveLength(64);
  expect(await exit).toEqual([0, null]);
  const stopped = lines().at(-1)!;
  expect(stopped).toMatchObject({ msg: "stopped", abandoned: 0 });
  expect(stopped["answered"]).toBe(stopped["taken"]);
  expect(JSON.stringify(lines())).not.toMatch(/Ada|Lovelace|a-token|Who wrote/);
});

test.each(["int8", "float32"] as const)(
  "a model of %s whose logits are not finite does not start",
  async (precision) => {
    const damaged = await writeTinyExport(await temporaryFolder(), { scoreFactor: NaN });
    await expect(AnswerEngine.load(damaged, { precision }, () => {})).rejects.toThrow(
      /^bertqa: the model's logits are not finite numbers: its weights are damaged\. Export the model again\. \(\S+\)$/,
    );
  },
);

test.each([
  [["--host", "0.0.0.0"], "http: 0.0.0.0 can be reached by others, and the server asks for no token.", 1],
  [["--model", "/nowhere"], "bertqa: there is no folder /nowhere.", 1],
  [["--host", "nosuch.invalid", "--open-to-all"], "http: cannot listen on nosuch.invalid, port 0: ", 1],
  [["--port", "70000"], "error: option '--port <n>' argument '70000' is invalid.", 2],
] as const)("serve %j is refused in one line", async (args, line, code) => {
  const model = await writeTinyExport(await temporaryFolder());
  const flags = ["serve", "--model", model, "--port", "0", "--log-level", "silent", ...args];
  const { stderr, exitCode } = await new Promise<{ stderr: string; exitCode: number }>((resolve) => {
    execFile(process.execPath, [workspaceBin, ...flags], (error, _stdout, stderr) =>
      resolve({ stderr, exitCode: Number(error?.code ?? 0) }),
    );
  });
  expect(stderr.startsWith(line), stderr).toBe(true);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(exitCode).toBe(code);
});
