#!/usr/bin/env node
import { register } from "tsx/esm/api";

register();
const { isEngineReady } = await import("../src/locate.ts");
// The rest takes half a second to load: not when all is well, which is before every stage but the first.
if (!isEngineReady()) await (await import("../src/install/recipe.ts")).runInstall();
