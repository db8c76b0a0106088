import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runOfficial, withFolder } from "./support/official-command.ts";

interface Case {
  readonly name: string;
  readonly data: unknown;
  readonly predictions: unknown;
  readonly naProbs: string | null;
  readonly arguments: readonly string[];
  readonly stdout: string;
  readonly outFile: string;
}
const { cases } = JSON.parse(readFileSync(new URL("fixtures/official-cases.json", import.meta.url), "utf8")) as {
  cases: readonly Case[];
};

const oneQuestion = JSON.stringify({
  data: [
    {
      paragraphs: [
        {
          qas: [
            { id: "x", answers: [{ text: "b" }] },
            { id: "y", answers: [] },
          ],
        },
      ],
    },
  ],
});

test.each(cases)("prints what the script prints, byte for byte: $name", (example) => {
  withFolder((folder, write) => {
    const files = [
      write("data.json", JSON.stringify(example.data)),
      write("pred.json", JSON.stringify(example.predictions)),
    ];
    const naProbs = example.naProbs === null ? [] : ["-n", write("na.json", example.naProbs)];
    const more = example.arguments.map((word) => (word === "IMAGES" ? join(folder, "images") : word));
    expect(runOfficial(...files, ...naProbs, ...more)).toEqual({ status: 0, stdout: example.stdout, stderr: "" });
    const outFile = join(folder, "out.json");
    const silent = runOfficial(
      "-v",
      "--out-f",
      outFile,
      ...more.filter((word) => word !== "-p" && !word.startsWith(folder)),
      ...naProbs,
      ...files,
    );
    expect(silent).toEqual({ status: 0, stdout: "", stderr: "" });
    if (!more.includes("-p")) expect(readFileSync(outFile, "utf8")).toBe(example.outFile);
    else expect(readFileSync(join(folder, "images/pr_f1.png")).subarray(1, 4).toString()).toBe("PNG");
  });
});

test("a missing prediction is an error that names the ids and leaves nothing behind", () => {
  withFolder((folder, write) => {
    const files = [write("data.json", oneQuestion), write("pred.json", "{}")];
    const outFile = join(folder, "out.json");
    const { status, stdout, stderr } = runOfficial(...files, "-o", outFile);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^evaluate: 2 of 2 questions have no prediction: "x", "y"\. Add them, or pass --missing-as-wrong .*\n$/,
    );
    expect(existsSync(outFile)).toBe(false);
  });
});

test("with --missing-as-wrong a missing prediction scores 0 at every threshold, unanswerable questions included", () => {
  withFolder((_, write) => {
    const data = write("data.json", oneQuestion);
    const naProbs = write("na.json", '{"x": 0.1, "y": 0.9}');
    const predictions = write("pred.json", '{"x": "b"}');
    const { stdout } = runOfficial(data, predictions, "-n", naProbs, "-t", "0.5", "--missing-as-wrong");
    // x is right; y has no answer and no prediction: 1 of 2, where "" would have made it 2 of 2.
    const expected = { exact: 50, NoAns_exact: 0, best_exact: 50, best_exact_thresh: 0.1 };
    expect(JSON.parse(stdout)).toMatchObject(expected);
    // The same where the missing question has no probability either.
    const fewer = write("fewer.json", '{"x": 0.1}');
    const second = runOfficial(data, predictions, "-n", fewer, "-t", "0.5", "--missing-as-wrong");
    expect(JSON.parse(second.stdout)).toMatchObject(expected);
  });
});

test("an id without a no-answer probability, a wrong type and broken JSON are named in one line", () => {
  withFolder((_, write) => {
    const data = write("data.json", oneQuestion);
    const predictions = write("pred.json", '{"x": "b", "y": ""}');
    const error = (...args: string[]) => runOfficial(...args).stderr;
    expect(error(data, predictions, "-n", write("na.json", '{"x": 1}'))).toMatch(
      /1 of 2 questions has no no-answer probability: "y"/,
    );
    expect(error(data, write("null.json", '{"x": null, "y": ""}'))).toMatch(/"x" is null, expected a text/);
    expect(error(data, write("cut.json", '{"x": '))).toMatch(/cut\.json is not valid JSON/);
    expect(error(data, "/nowhere/pred.json")).toBe("evaluate: /nowhere/pred.json does not exist.\n");
    expect(error(write("list.json", "[]"), predictions)).toMatch(/holds no questions/);
  });
});

test("wrong use exits with 2 and says what is wrong; without arguments the help is printed, with 1 as in the script", () => {
  expect(runOfficial("only.json")).toMatchObject({ status: 2, stdout: "" });
  expect(runOfficial("a", "b", "c").stderr).toMatch(/too many arguments/);
  expect(runOfficial("a", "b", "-t", "much").stderr).toMatch(/Expected a number, got 'much'/);
  expect(runOfficial("a", "b", "--frobnicate")).toMatchObject({ status: 2 });
  expect(runOfficial()).toMatchObject({ status: 1, stdout: expect.stringContaining("--na-prob-thresh") as string });
  expect(runOfficial("--help")).toMatchObject({ status: 0 });
});

test("a string that is never closed is refused in time linear in its length", () => {
  // Read from each of its 400,000 escaped quotes to the end, it would take 400,000² / 2 steps: minutes.
  withFolder((_, write) => {
    const open = write("open.json", `{"x": "${'\\"'.repeat(400_000)}`);
    expect(runOfficial(open, open).stderr).toMatch(/open\.json is not valid JSON/);
  });
});

test("questions numbered in the file are scored, their predictions by text", () => {
  const file = (name: string) =>
    fileURLToPath(new URL(`../../formats/test/fixtures/files/01-numeric-ids/${name}`, import.meta.url));
  expect(JSON.parse(runOfficial(file("dev.json"), file("pred.json")).stdout)).toMatchObject({ exact: 100, f1: 100 });
});

test("an id beyond 2^53 is its digits", () => {
  withFolder((_, write) => {
    const data = '{"data": [{"paragraphs": [{"qas": [{"id": 9007199254740993, "answers": [{"text": "b"}]}]}]}]}';
    const files = [write("data.json", data), write("pred.json", '{"9007199254740993": "b", "9007199254740992": "c"}')];
    expect(JSON.parse(runOfficial(...files).stdout)).toMatchObject({ exact: 100, total: 1 });
  });
});
