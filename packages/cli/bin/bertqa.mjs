#!/usr/bin/env node
process.env.TSX_DISABLE_CACHE = "1"; // its cache is a folder in the temporary one that others may have made
const { register } = await import("tsx/esm/api");

register();
await import("../src/cli.ts");
