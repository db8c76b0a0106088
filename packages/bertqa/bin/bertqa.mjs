#!/usr/bin/env node
import { existsSync } from "node:fs";

// In the workspace the sources run as they are; the published package holds what was built from them.
const source = new URL("../src/cli/main.ts", import.meta.url);
if (existsSync(source)) {
  process.env.TSX_DISABLE_CACHE = "1"; // its cache is a folder in the temporary one that others may have made
  const { register } = await import("tsx/esm/api");
  register();
  await import(source.href);
} else {
  await import("../dist/cli.js");
}
