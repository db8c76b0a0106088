#!/usr/bin/env node
// Else tsx would run code from a cache in the temporary folder, where other users of the machine may have put it.
process.env.TSX_DISABLE_CACHE = "1";
const { register } = await import("tsx/esm/api");
register();
const { isEngineReady } = await import("../src/locate.ts");
// The rest takes half a second to load: not when all is well, which is before every stage but the first.
if (!isEngineReady()) await (await import("../src/install/recipe.ts")).runInstall();
