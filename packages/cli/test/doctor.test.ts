import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Finding } from "@bertqa/engine";
import { Command } from "commander";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { formatFindings } from "../src/commands/doctor.ts";
import { addCommands } from "../src/program.ts";

const program = fileURLToPath(new URL("../../bertqa/bin/bertqa.mjs", import.meta.url));

function bertqa(programArguments: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  return spawnSync(process.execPath, [program, ...programArguments], {
    encoding: "utf8",
    env: { ...process.env, ...environment },
  });
}

test("doctor finds that all is well once the engine is installed", () => {
  const { status, stdout, stderr } = bertqa(["doctor"]);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^TensorFlow library +ok +2\.21\.0/m);
  expect(stdout).toMatch(/^Self-test +ok +passed on the (CPU|GPU)$/m);
  expect(stdout).toMatch(/All is well\.\n$/);
  expect(status).toBe(0);
});

test("doctor works where nothing is installed: it names each thing missing, exits with 1, and makes nothing", () => {
  const emptyCache = mkdtempSync(join(tmpdir(), "bertqa-empty-"));
  try {
    const environment = { BERTQA_CACHE: emptyCache, CXX: "/nowhere/g++", BERTQA_PYTHON: "/nowhere/python" };
    const { status, stdout, stderr } = bertqa(["doctor", "--json"], environment);
    const { isWell, findings } = JSON.parse(stdout) as { isWell: boolean; findings: Finding[] };
    const missing = findings.filter((finding) => finding.status === "missing");
    expect(missing.map((finding) => finding.name)).toEqual([
      "Python with pip",
      "C++ compiler",
      "TensorFlow library",
      "Binding",
      "Self-test",
    ]);
    expect(missing.every((finding) => finding.remedy !== "")).toBe(true);
    expect({ status, isWell, stderr }).toEqual({ status: 1, isWell: false, stderr: "" });
    expect(readdirSync(emptyCache)).toEqual([]);
  } finally {
    rmSync(emptyCache, { recursive: true });
  }
});

test("a number of threads that is none is a finding with its remedy, not the end of the doctor", () => {
  const { status, stdout, stderr } = bertqa(["doctor", "--json"], { BERTQA_THREADS: "abc" });
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  expect(findings.filter((finding) => finding.status === "missing")).toEqual([
    {
      ...{ name: "Threads", status: "missing", found: "none" },
      remedy: expect.stringMatching(/^BERTQA_THREADS: got abc, expected a whole number ≥ 1\. Set BERTQA_THREADS to/),
    },
  ]);
  expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
});

test("an unknown command is bad usage: exit code 2", () => {
  expect(bertqa(["nurse"]).status).toBe(2);
});

test.each([
  [["cache-server", "--port", "99999"], "from 0 to 65535"],
  [["cache-server", "--port", ""], "from 0 to 65535"],
  [["import", "a.csv", "--to", "b.json", "--split", "0.1", "--seed", ""], "from 0 on"],
])("%j is bad usage", async (words, range) => {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  addCommands(program);
  const refused = expect(program.parseAsync(words, { from: "user" })).rejects;
  await refused.toThrow(new RegExp(`^error: option .* is invalid\\. Expected a whole number ${range}\\.$`));
});

test("a token of the shared cache is made with its scope, and removed by its name alone", async () => {
  const tokens = join(await temporaryFolder(), "tokens.json");
  const token = (...words: string[]) => bertqa(["cache-server", "token", "anna", "--tokens", tokens, ...words]);
  expect(token()).toMatchObject({ status: 1, stderr: expect.stringMatching(/Give --scope read or --scope write\./) });
  expect(token("--scope", "read").stdout).toMatch(/^bertqa-/);
  expect(readFileSync(tokens, "utf8")).toContain("anna");
  expect(token("--remove")).toMatchObject({ status: 0, stderr: "" });
  expect(readFileSync(tokens, "utf8")).not.toContain("anna");
});

test("the table says under a row what to do about it", () => {
  const findings: Finding[] = [
    { name: "Node", status: "ok", found: "20.20.2", remedy: "" },
    { name: "Compiler", status: "missing", found: "none", remedy: "Install one" },
  ];
  expect(formatFindings(findings)).toBe(
    [
      "Node      ok       20.20.2",
      "Compiler  missing  none",
      "                   → Install one",
      "",
      "1 missing.",
      "",
    ].join("\n"),
  );
});
