#!/usr/bin/env node
import { existsSync } from "node:fs";

// In the workspace the sources run; the published package holds what was built from them.
const source = new URL("../src/cli/main.ts", import.meta.url);
if (existsSync(source)) await (await import("@bertqa/runner/run-source")).runSource(source);
else await import("../dist/cli.js");
