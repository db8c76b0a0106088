import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeTinyExport } from "./tiny-export.ts";

/** The package as a user gets it. Slow, and needs the registry: `npm run test:packed`. */
const isWanted = process.env["BERTQA_PACKED"] === "1";
const packageFolder = join(import.meta.dirname, "..");
const slow = { timeout: 300_000 };

const fiveLines = `import { loadQuestionAnswering } from "bertqa";
const qa = await loadQuestionAnswering(process.argv[2]);
const { answer, span } = await qa.answer({ question: "Who wrote it?", context: "Ada wrote the program in 1843." });
console.log(JSON.stringify({ runtime: qa.runtime, isSlice: "Ada wrote the program in 1843.".slice(...span.utf16) === answer }));
await qa.dispose();
`;

describe.skipIf(!isWanted)("the packed package, installed in an empty folder", () => {
  let temporary: string;
  let tarball: string;
  let model: string;
  beforeAll(async () => {
    temporary = await mkdtemp(join(tmpdir(), "bertqa-packed-"));
    model = await writeTinyExport(join(temporary, "model"));
    const options = { cwd: packageFolder, encoding: "utf8", stdio: "pipe" } as const;
    execFileSync("npm", ["run", "build"], options);
    const packed = execFileSync(
      "npm",
      ["pack", "--ignore-scripts", "--json", "--pack-destination", temporary],
      options,
    );
    tarball = join(temporary, (JSON.parse(packed) as { filename: string }[])[0]!.filename);
  }, 300_000);
  afterAll(() => rm(temporary, { recursive: true, force: true }));

  async function install(name: string, flags: readonly string[]): Promise<string> {
    const folder = await mkdtemp(join(temporary, `${name}-`));
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    await writeFile(join(folder, "five.js"), fiveLines);
    const startedMs = performance.now();
    execFileSync("npm", ["install", tarball, "--no-audit", "--no-fund", ...flags], { cwd: folder, stdio: "ignore" });
    process.stderr.write(`npm install ${flags.join(" ")}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`);
    return folder;
  }

  function run(folder: string, args: readonly string[], input = ""): string {
    const stdio = ["pipe", "pipe", "pipe"] as const;
    return execFileSync(process.execPath, args, { cwd: folder, encoding: "utf8", input, stdio: [...stdio] });
  }

  test.each([
    ["with onnxruntime-node", "onnxruntime-node", []],
    ["without it", "onnxruntime-web", ["--omit=optional"]],
  ] as const)("%s: five lines give an answer, and so does the command", slow, async (_, runtime, flags) => {
    const folder = await install(runtime, flags);
    expect(JSON.parse(run(folder, ["five.js", model]))).toEqual({ runtime, isSlice: true });

    const bin = join(folder, "node_modules/bertqa/bin/bertqa.mjs");
    const ask = [bin, "ask", "--model", model, "--context", "-", "Who wrote it?"];
    const startedMs = performance.now();
    expect(run(folder, ask, "Ada wrote the program in 1843.")).toContain("probability");
    process.stderr.write(`cold ask on ${runtime}: ${((performance.now() - startedMs) / 1000).toFixed(2)} s\n`);

    for (const name of ["@tensorflow", "@bertqa", "tsx", "typescript"]) {
      expect(existsSync(join(folder, "node_modules", name)), name).toBe(false);
    }
    expect(() => run(folder, [bin, "stage", "train"])).toThrow('"stage" is not among the commands of this package');
  });
});
