#!/usr/bin/env node
import { runSource } from "@bertqa/runner/run-source";

const { runOfficialEvaluator } = await runSource(new URL("../src/official/command.ts", import.meta.url));
await runOfficialEvaluator(process.argv.slice(2));
