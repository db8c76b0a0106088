import { sha256Of } from "@bertqa/core";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadQuestionAnswering, type QuestionAnswering } from "../src/node.ts";
import { decision, temporaryFolder, vocabulary, windowTokens, writeTinyExport } from "./tiny-export.ts";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";

const passage = "Ada 😀 Lovelace wrote the program in 1843. It is the engine of 😀 it, where Ada wrote on it.";
const question = "Who wrote the program?";

test("a model is loaded, never put together: the entries give no class to call", async () => {
  const given = ["BertqaError", "loadQuestionAnswering"];
  expect(Object.keys(await import("../src/node.ts")).toSorted()).toEqual(given);
  expect(Object.keys(await import("../src/browser.ts")).toSorted()).toEqual(given);
});

describe("a loaded export", () => {
  let folder: string;
  let qa: QuestionAnswering;
  beforeAll(async () => {
    folder = await writeTinyExport(await mkdtemp(join(tmpdir(), "bertqa-")));
    qa = await loadQuestionAnswering(folder, { precision: "float32" });
  });
  afterAll(async () => {
    await qa.dispose();
    await rm(folder, { recursive: true });
  });

  test("runs on onnxruntime-node where it is installed", () => {
    expect(qa.runtime).toBe("onnxruntime-node");
    expect(qa.precision).toBe("float32");
  });

  test("the answer is the passage sliced by its UTF-16 range and by its code points", async () => {
    const { answer, span, candidates } = await qa.answer({ question, context: passage, topK: 6 });
    expect(answer).not.toBe("");
    expect(passage.slice(...span!.utf16)).toBe(answer);
    expect([...passage].slice(...span!.codePoints).join("")).toBe(answer);
    expect(candidates).toHaveLength(6);
    for (const { text, utf16, codePoints } of candidates) {
      expect(passage.slice(...utf16)).toBe(text);
      expect([...passage].slice(...codePoints).join("")).toBe(text);
    }
    // Some candidate stands after an emoji, where the two counts differ.
    expect(candidates.some(({ utf16, codePoints }) => utf16[0] !== codePoints[0])).toBe(true);
  });

  test("probabilities of all spans and of no answer stay within 1", async () => {
    const { candidates, noAnswerProbability, score } = await qa.answer({ question, context: passage, topK: 6 });
    const sum = candidates.reduce((total, candidate) => total + candidate.score, noAnswerProbability);
    expect(sum).toBeCloseTo(1, 6); // nBest is 6: these are all that share the rest
    expect(score).toBe(candidates[0]!.score);
  });

  test("a long passage is cut into windows, and the answer found in each place", async () => {
    const long = `${passage} `.repeat(20);
    // 23 tokens − 5 of the question − 3 special = 15 of the passage, 11 of them new in each further window.
    const { windowCount, span } = await qa.answer({ question, context: long });
    expect(windowCount).toBeGreaterThan(20);
    expect(span!.utf16[1]).toBeLessThanOrEqual(long.length);
  });

  test("many questions at once are answered as one by one, in their order", async () => {
    const contexts = ["It is in the engine.", passage, `${passage} `.repeat(3), ""];
    const inputs = contexts.flatMap((context) => [
      { question, context },
      { question: "Where is it?", context },
    ]);
    const together = await qa.answerAll(inputs);
    for (const [i, input] of inputs.entries()) {
      const alone = await qa.answer(input);
      expect(together[i]!.answer).toBe(alone.answer);
      expect(together[i]!.score).toBeCloseTo(alone.score, 5);
    }
  });

  test("int8 gives a question the same bits alone and among others, however long those are", async () => {
    const int8 = await loadQuestionAnswering(folder);
    const input = { question, context: passage, topK: 6 };
    const alone = await int8.answer(input);
    const others = ["It is in the engine.", `${passage} `.repeat(3)].map((context) => ({
      question: "Where?",
      context,
    }));
    const [, among] = await int8.answerAll([others[0]!, input, others[1]!]);
    await int8.dispose();
    expect(among).toEqual(alone);
    // The guard means something: one scale for a whole batch gives other digits.
    const batched = await loadQuestionAnswering(folder, { batchTokens: 2048 });
    const [, inBatch] = await batched.answerAll([others[0]!, input, others[1]!]);
    await batched.dispose();
    expect(inBatch!.nullOdds).not.toBe(alone.nullOdds);
  });

  test("an empty passage has no answer", async () => {
    const { answer, span, noAnswerProbability, windowCount } = await qa.answer({ question, context: "" });
    expect({ answer, span, noAnswerProbability, windowCount }).toEqual({
      answer: "",
      span: null,
      noAnswerProbability: 1,
      windowCount: 1,
    });
  });

  test("an aborted signal stops the run with its reason", async () => {
    const controller = new AbortController();
    const context = `${passage} `.repeat(300);
    const run = qa.answer({
      question,
      context,
      signal: controller.signal,
      onProgress: () => controller.abort("enough"),
    });
    await expect(run).rejects.toBe("enough");
  });

  test.each(["onnxruntime-node", "onnxruntime-web"] as const)(
    "on %s a model that was disposed of says so, meanwhile too; to dispose again does nothing more",
    async (runtime) => {
      const own = await loadQuestionAnswering(folder, { runtime, threads: 1 });
      const context = `${passage} `.repeat(3);
      const disposed = "ask: the model was disposed of. Load it again.";
      await expect(own.answer({ question, context, onProgress: () => void own.dispose() })).rejects.toThrow(disposed);
      await expect(own.answer({ question, context })).rejects.toThrow(disposed);
      await own.dispose();
    },
  );

  test("an empty question and a passage of 10 MB are refused in one line that says which of many it is", async () => {
    const empty = { question: "  ", context: passage };
    await expect(qa.answer(empty)).rejects.toThrow("ask: the question is empty.");
    await expect(qa.answerAll([{ question, context: passage }, empty])).rejects.toThrow(
      "ask: question 2 of 2 is empty.",
    );
    await expect(qa.answer({ question, context: "x".repeat(10_000_000) })).rejects.toThrow(
      /^ask: the passage has 10,000,000 characters, more than 2,000,000\. Cut it into documents .+ \(the question "Who wrote the program\?"\)$/,
    );
  });

  test("rows of JSON that hold no text are refused, by their place among many", async () => {
    const rows = JSON.parse(`[{ "question": "Who?", "context": "Ada." }, { "question": "Who?", "context": null }]`);
    await expect(qa.answerAll(rows)).rejects.toThrow("ask: the passage of question 2 of 2 is no text.");
    await expect(qa.answer(JSON.parse('{ "context": "Ada." }'))).rejects.toThrow("ask: the question is no text.");
  });

  test.each([-1, NaN])("topK %d, which is no number of candidates, is refused", async (topK) => {
    const message = `ask: topK of the question is ${topK}, expected a number of candidates.`;
    await expect(qa.answer({ question, context: passage, topK })).rejects.toThrow(message);
  });

  test("onnxruntime-web gives the same answers", async () => {
    const web = await loadQuestionAnswering(folder, { precision: "float32", runtime: "onnxruntime-web", threads: 1 });
    const input = { question, context: `${passage} `.repeat(3), topK: 3 };
    const [expected, got] = [await qa.answer(input), await web.answer(input)];
    await web.dispose();
    expect(web.runtime).toBe("onnxruntime-web");
    expect(got.answer).toBe(expected.answer);
    expect(got.candidates.map(({ score }) => score.toFixed(4))).toEqual(
      expected.candidates.map(({ score }) => score.toFixed(4)),
    );
  });

  test("int8 is the default, and its logits stay near", async () => {
    const int8 = await loadQuestionAnswering(folder);
    const input = { question, context: passage };
    const [expected, got] = [await qa.answer(input), await int8.answer(input)];
    await int8.dispose();
    expect(int8.precision).toBe("int8");
    expect(got.nullOdds).toBeCloseTo(expected.nullOdds, 0);
  });
});

describe("refuses in one line", () => {
  const load = async (spoil: (folder: string) => Promise<unknown>) => {
    const folder = await writeTinyExport(await temporaryFolder());
    await spoil(folder);
    return loadQuestionAnswering(folder);
  };
  const write = (name: string, content: string) => (folder: string) => writeFile(join(folder, name), content);
  const withoutManifest = (spoil: (folder: string) => Promise<unknown>) => async (folder: string) => {
    await rm(join(folder, "manifest.json"));
    await spoil(folder);
  };

  test("a folder that is not there, or is no export", async () => {
    await expect(loadQuestionAnswering("/nowhere")).rejects.toThrow("bertqa: there is no folder /nowhere.");
    await expect(loadQuestionAnswering(await temporaryFolder())).rejects.toThrow(
      /^bertqa: .* is no export of bertqa: it has no decision\.json\. Run npx nx run <pipeline>:export/,
    );
  });

  test("an artifact of another kind, and an export of another format", async () => {
    const manifest = (kind: string, formatVersion: number) => JSON.stringify({ kind, formatVersion, files: [] });
    await expect(load(write("manifest.json", manifest("model", 1)))).rejects.toThrow(
      'got an artifact of kind "model", format version 1, expected an export of format version 1. Export the model again',
    );
    await expect(load(write("manifest.json", manifest("export", 7)))).rejects.toThrow("format version 7, expected");
    const older = write("decision.json", JSON.stringify({ ...decision, formatVersion: 0 }));
    await expect(load(withoutManifest(older))).rejects.toThrow("decision.json is of format version 0, expected 1");
  });

  test("a tokenizer that is not the one exported, by its hash or by its size", async () => {
    const swapped = [...vocabulary.slice(0, 5), ...vocabulary.slice(5).reverse()].join("\n");
    await expect(load(write("vocab.txt", swapped))).rejects.toThrow(
      "vocab.txt is not the file that this model was exported with. Copy the whole export again.",
    );
    const larger = withoutManifest(write("vocab.txt", [...vocabulary, "more"].join("\n")));
    await expect(load(larger)).rejects.toThrow("the tokenizer has 38 tokens, the model 37");
  });

  test("windows longer than the model's positions", async () => {
    const window = { ...decision.window, maxTokens: windowTokens + 1 };
    const longer = withoutManifest(write("decision.json", JSON.stringify({ ...decision, window })));
    await expect(load(longer)).rejects.toThrow("windows of 24 tokens, the model 23 positions");
  });

  test("a model file that is cut short, or of which one bit is another, by either runtime", async () => {
    await expect(load(withoutManifest(write("onnx/model_quantized.onnx", "cut")))).rejects.toThrow(
      "bertqa: ONNX Runtime cannot load the model:",
    );
    const folder = await writeTinyExport(await temporaryFolder());
    const path = join(folder, "onnx", "model_quantized.onnx");
    const bytes = await readFile(path);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(path, bytes);
    for (const runtime of ["onnxruntime-node", "onnxruntime-web"] as const) {
      await expect(loadQuestionAnswering(folder, { runtime })).rejects.toThrow(
        "bertqa: onnx/model_quantized.onnx is not the file that this model was exported with. Copy the whole export again.",
      );
    }
  });

  test("a setting that ONNX Runtime refuses is not blamed on the model's file alone", async () => {
    const folder = await writeTinyExport(await temporaryFolder());
    await expect(loadQuestionAnswering(folder, { threads: -1 })).rejects.toThrow(
      "'intraOpNumThreads' is invalid: -1. Leave out threads and sessionOptions, or export the model again.",
    );
  });

  test("a precision that there is not, from code without types", async () => {
    const folder = await writeTinyExport(await temporaryFolder());
    const options = { precision: "fp16" as "int8" };
    await expect(loadQuestionAnswering(folder, options)).rejects.toThrow(
      'bertqa: there is no precision "fp16", only float32 or int8.',
    );
  });

  test("a file of the export that cannot be read is named", async () => {
    const folder = await writeTinyExport(await temporaryFolder());
    await rm(join(folder, "vocab.txt"));
    await mkdir(join(folder, "vocab.txt"));
    await expect(loadQuestionAnswering(folder)).rejects.toThrow(`read. (${join(folder, "vocab.txt")})`);
  });

  test("files are compared by their bytes: one with a byte order mark, or in no UTF-8, is the one that was exported", async () => {
    const folder = await writeTinyExport(await temporaryFolder());
    const [path, manifest] = [join(folder, "vocab.txt"), join(folder, "manifest.json")];
    const before = await readFile(path);
    const bytes = Buffer.concat([Buffer.from("\ufeff"), before.subarray(0, -2), Buffer.of(0xff, 0x0a)]); // "c" → no UTF-8
    await writeFile(path, bytes);
    await writeFile(manifest, (await readFile(manifest, "utf8")).replace(sha256Of(before), sha256Of(bytes)));
    await (await loadQuestionAnswering(folder)).dispose();
  });

  test("a file that is read and is not in the manifest", async () => {
    const unlisted = async (folder: string) => {
      const path = join(folder, "manifest.json");
      await writeFile(path, (await readFile(path, "utf8")).replace('"vocab.txt"', '"vocac.txt"'));
    };
    await expect(load(unlisted)).rejects.toThrow(
      "bertqa: vocab.txt is not the file that this model was exported with.",
    );
  });
});
