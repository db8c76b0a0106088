#!/usr/bin/env node
import { register } from "tsx/esm/api";

register();
const { main } = await import("../src/official/cli.ts");
process.exitCode = await main(process.argv.slice(2), async () => {
  const { officialImages } = await import("../src/report/official-images.ts");
  return officialImages;
});
