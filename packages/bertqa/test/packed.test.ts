import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { post, startCommand } from "./serve-support.ts";
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
  let warnings: string;
  beforeAll(async () => {
    temporary = await mkdtemp(join(tmpdir(), "bertqa-packed-"));
    model = await writeTinyExport(join(temporary, "model"));
    // As the README says: npm runs no script before it packs, as `.npmrc` says.
    const readme = await readFile(join(packageFolder, "README.md"), "utf8");
    const [, command = "false"] = /`([^`\n]*npm pack[^`\n]*)`/.exec(readme) ?? [];
    const env = { ...process.env, npm_config_loglevel: "warn", npm_config_pack_destination: temporary };
    const packing = spawnSync("sh", ["-c", command], { cwd: join(packageFolder, "../.."), encoding: "utf8", env });
    if (packing.status !== 0) throw new Error(packing.stdout + packing.stderr);
    warnings = packing.stderr;
    tarball = join(temporary, packing.stdout.trim().split("\n").at(-1) as string);
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

  test("it is built without a warning: the declarations name no type that they do not export", () => {
    expect(warnings).toBe("");
    expect(execFileSync("tar", ["-tf", tarball], { encoding: "utf8" })).toContain("package/dist/node.d.ts\n");
  });

  test.each([
    ["with onnxruntime-node", "onnxruntime-node", []],
    ["without it", "onnxruntime-web", ["--omit=optional"]],
  ] as const)(
    "%s: five lines give an answer, and so do the command and its server",
    slow,
    async (_, runtime, flags) => {
      const folder = await install(runtime, flags);
      expect(JSON.parse(run(folder, ["five.js", model]))).toEqual({ runtime, isSlice: true });

      const bin = join(folder, "node_modules/bertqa/bin/bertqa.mjs");
      const ask = [bin, "ask", "--model", model, "--context", "-", "Who wrote it?"];
      const startedMs = performance.now();
      expect(run(folder, ask, "Ada wrote the program in 1843.")).toContain("probability");
      process.stderr.write(`cold ask on ${runtime}: ${((performance.now() - startedMs) / 1000).toFixed(2)} s\n`);

      const server = await startCommand(bin, ["--model", model]);
      const questions = [{ question: "Who wrote it?", context: "Ada wrote the program in 1843." }];
      const response = await post(server.address, "/v1/answers", { questions });
      const { answers } = (await response.json()) as {
        answers: { answer: string; span: { utf16: [number, number] } }[];
      };
      expect(questions[0]!.context.slice(...answers[0]!.span.utf16)).toBe(answers[0]!.answer);
      expect((await fetch(`${server.address}/v1/model`).then((each) => each.json())) as object).toMatchObject({
        runtime,
      });
      expect(await fetch(server.address).then((each) => each.text())).toContain("<html");
      server.child.kill("SIGTERM");
      expect(await server.exit).toEqual([0, null]);
      expect(server.lines().at(-1)).toMatchObject({ msg: "stopped", taken: 3, answered: 3, abandoned: 0 });

      for (const name of ["@tensorflow", "@bertqa", "tsx", "typescript"]) {
        expect(existsSync(join(folder, "node_modules", name)), name).toBe(false);
      }
      expect(() => run(folder, [bin, "stage", "train"])).toThrow(
        '"stage" is not among the commands of this package: ask, score, serve',
      );
    },
  );
});
