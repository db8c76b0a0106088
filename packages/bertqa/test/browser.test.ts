import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadQuestionAnswering, type QuestionAnswer } from "../src/node.ts";
import { chromiumPath, openPage, skipReason, type TestPage } from "./browser-page.ts";
import { writeTinyExport } from "./tiny-export.ts";

const passage = "Ada 😀 Lovelace wrote the program in 1843. It is the engine of 😀 it, where Ada wrote on it.";
const input = { question: "Who wrote the program?", context: `${passage} `.repeat(3), topK: 3 };

/** What the page under test has as globals. */
declare const bertqa: { loadQuestionAnswering: typeof loadQuestionAnswering };

describe.skipIf(!chromiumPath)(`in a real browser${skipReason}`, () => {
  let folder: string;
  let at: TestPage;
  beforeAll(async () => {
    folder = await writeTinyExport(await mkdtemp(join(tmpdir(), "bertqa-")));
    at = await openPage('export * from "./browser.ts"', folder);
  });
  afterAll(async () => {
    await at.close();
    await rm(folder, { recursive: true });
  });

  test.each(["float32", "int8"] as const)("%s answers as in Node", async (precision) => {
    const got: QuestionAnswer = await at.page.evaluate(
      async ({ url, precision, input }) => {
        const qa = await bertqa.loadQuestionAnswering(url, { precision });
        const result = await qa.answer(input);
        await qa.dispose();
        return result;
      },
      { url: `${at.address}/model`, precision, input },
    );
    const qa = await loadQuestionAnswering(folder, { precision });
    const expected = await qa.answer(input);
    await qa.dispose();
    expect(got.answer).toBe(expected.answer);
    expect(got.candidates.map(({ utf16 }) => utf16)).toEqual(expected.candidates.map(({ utf16 }) => utf16));
    expect(got.nullOdds).toBeCloseTo(expected.nullOdds, precision === "float32" ? 4 : 1);
  });

  test("an address without an export is refused in one line", async () => {
    const load = at.page.evaluate((url) => bertqa.loadQuestionAnswering(url), `${at.address}/nothing`);
    await expect(load).rejects.toThrow(`bertqa: ${at.address}/nothing/ is no export of bertqa`);
  });
});
