import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { readJsonLines, readOptions } from "../src/index.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";

const schema = z.strictObject({ epochs: z.int().positive().default(2), rate: z.number().default(0.1) });

async function read(text: string) {
  const path = join(await temporaryFolder(), "train.json");
  await writeFile(path, text);
  return readOptions("train", path, schema);
}

test("defaults fill what the file leaves out, and the editor's $schema is no option", async () => {
  expect(await read('{ "$schema": "../x.json", "epochs": 3 }')).toEqual({ epochs: 3, rate: 0.1 });
});

test("an unknown key is an error that names it", async () => {
  await expect(read('{ "epoch": 3 }')).rejects.toThrow(/train: .*train\.json breaks its schema: .*"epoch"/);
});

test("every wrong value is named in one message", async () => {
  await expect(read('{ "epochs": 0, "rate": "x" }')).rejects.toThrow(/epochs: .*; rate: /);
});

test("JSON that does not parse says where", async () => {
  await expect(read('{\n  "epochs": 3,\n}')).rejects.toThrow(/train\.json is not valid JSON: .*line 3/);
});

test("a file in another encoding says so", async () => {
  const path = join(await temporaryFolder(), "train.json");
  await writeFile(path, Buffer.from([0x7b, 0xe9, 0x7d])); // é in Latin-1
  await expect(readOptions("train", path, schema)).rejects.toThrow("train.json is not UTF-8.");
});

test.each([
  ['{"rate": 1}\n\n{"rate" 2}\n', /^evaluate: line 3 of .*rows\.jsonl is not valid JSON: .*\(column 9\)/],
  ['{"rate": 1}\n\n{"rate": "x"}\n', /^evaluate: line 3 of .*rows\.jsonl breaks its schema: rate: /],
  [Buffer.from([0x22, 0xe9, 0x22]), /^evaluate: .*rows\.jsonl is not UTF-8\.$/],
])("a file of JSON lines is refused as a JSON file is, by its line: %j", async (content, message) => {
  const path = join(await temporaryFolder(), "rows.jsonl");
  await writeFile(path, content);
  await expect(readJsonLines("evaluate", path, schema)).rejects.toThrow(message);
});

test("a file that is not there is named", async () => {
  await expect(readOptions("train", "/nowhere/train.json", schema)).rejects.toThrow(
    "train: /nowhere/train.json does not exist.",
  );
});

test("a file that Node cannot hold as one text is refused by its size, not as another encoding", async () => {
  const path = join(await temporaryFolder(), "nbest_predictions.json");
  await writeFile(path, "{}");
  await truncate(path, 2_200_000_000); // a hole: it takes no room on disk
  await expect(readOptions("evaluate", path, schema)).rejects.toThrow(
    /^evaluate: .*\.json has 2200 MB, and Node\.js holds no text of more than 537 MB\.$/,
  );
});
