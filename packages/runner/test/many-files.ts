// Run as a child process: writes an artifact of many files, reads it again, and says how many there are.
import { openArtifact } from "@bertqa/core";
import { writeFile } from "node:fs/promises";
import { writeArtifact } from "../src/index.ts";

const [folder = "", count = "0"] = process.argv.slice(2);
await writeArtifact("tokenize", folder, async (draft) => {
  for (let i = 0; i < Number(count); i++) await writeFile(await draft.path(`${i}.txt`), String(i));
  return { kind: "windows", options: {}, counts: {}, versions: {}, inputs: {} };
});
const artifact = await openArtifact("train", folder, "windows");
for (const { path } of artifact.manifest.files) await artifact.file(path);
process.stdout.write(`${artifact.manifest.files.length}\n`);
