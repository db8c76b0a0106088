import { readPassage, readTokenizerJson, windowsFor } from "@bertqa/answers";
import { openWindows, questionsOf } from "@bertqa/core";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tokenizeOptionsSchema, tokenizeStage } from "../src/index.ts";
import { runIn } from "../../../test/support/run-stage.ts";
import { fixtureEncoder, hardCases, pipelineWith, readWindows, sampleCorpus, squadFile } from "./helpers.ts";

test("the windows of training are those that the published package makes of the same questions", async () => {
  const limits = { maxTokens: 48, windowOverlapTokens: 16, maxQuestionTokens: 24 };
  const data = { data: [...hardCases().data, ...squadFile(sampleCorpus("dev")).data.slice(0, 2)] };
  const folders = await pipelineWith({ train: { data: [] }, dev: data });
  const { folder } = await runIn(tokenizeStage, tokenizeOptionsSchema.parse(limits), folders);
  const trained = await readWindows(await openWindows("test", folder), "dev");
  const tokenizer = readTokenizerJson("test", readFileSync(join(fixtureEncoder, "tokenizer.json"), "utf8"), "there");
  const asked = questionsOf(data).flatMap(({ id, question, context }) =>
    windowsFor(tokenizer, question, readPassage(tokenizer, context), limits).windows.map((window, windowIndex) => ({
      id,
      windowIndex,
      inputIds: [...window.inputIds],
      contextFirstToken: window.contextFirstToken,
      starts: [...window.contextStartCodePoints],
      ends: [...window.contextEndCodePoints],
      maxContext: [...window.maxContext],
    })),
  );
  expect(trained.map(({ startPosition: _, endPosition: __, plausiblePositions: ___, ...window }) => window)).toEqual(
    asked,
  );
});
