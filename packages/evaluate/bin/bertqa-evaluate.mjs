#!/usr/bin/env node
import { importCompiled, importSource } from "./import-compiled.mjs";

const { main } = await importCompiled(new URL("../src/official/", import.meta.url), "cli.ts");
process.exitCode = await main(process.argv.slice(2), async () => {
  const { officialImages } = await importSource(new URL("../src/report/official-images.ts", import.meta.url));
  return officialImages;
});
