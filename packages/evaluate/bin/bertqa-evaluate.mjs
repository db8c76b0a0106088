#!/usr/bin/env node
import { setFlagsFromString } from "node:v8";
import { importCompiled, importSource } from "./import-compiled.mjs";

// A run lasts a tenth of a second: code that is optimized later than usual is never optimized in vain. Node 20 alone needs
// to be told, and only its V8 knows the flag.
if (process.versions.node.startsWith("20.")) setFlagsFromString("--interrupt-budget=2000000");

const { main } = await importCompiled(new URL("../src/official/", import.meta.url), "cli.ts");
const exitCode = await main(process.argv.slice(2), async () => {
  const { officialImages } = await importSource(new URL("../src/report/official-images.ts", import.meta.url));
  return officialImages;
});
// At once: freeing what was read would only take time.
process.exit(exitCode);
