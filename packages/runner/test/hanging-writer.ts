// Run as a child process: writes half an artifact, says so on stdout, and waits to be ended.
import { writeFile } from "node:fs/promises";
import { writeArtifact } from "../src/index.ts";

await writeArtifact("tokenize", process.argv[2] as string, async (draft) => {
  await writeFile(await draft.path("a.txt"), "half");
  process.stdout.write("half\n");
  setInterval(() => {}, 1000);
  return new Promise<never>(() => {});
});
