#!/usr/bin/env node
import { runSource } from "@bertqa/runner/run-source";

await (await runSource(new URL("../src/install/check.ts", import.meta.url))).runSelfTest();
