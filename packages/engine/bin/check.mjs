process.env.TSX_DISABLE_CACHE = "1"; // see install.mjs
const { register } = await import("tsx/esm/api");
register();
await (await import("../src/install/check.ts")).runSelfTest();
