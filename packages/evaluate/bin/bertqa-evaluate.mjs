#!/usr/bin/env node
import { importCompiled } from "./import-compiled.mjs";

const { main } = await importCompiled(new URL("../src/official/", import.meta.url), "cli.ts");
process.exitCode = await main(process.argv.slice(2));
