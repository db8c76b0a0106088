#!/usr/bin/env node
import { runSource } from "@bertqa/runner/run-source";

const { isEngineReady } = await runSource(new URL("../src/locate.ts", import.meta.url));
// The rest takes a while to load: not when all is well, which is before every stage but the first.
if (!isEngineReady()) await (await runSource(new URL("../src/install/recipe.ts", import.meta.url))).runInstall();
