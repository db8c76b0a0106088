// In the workspace a thread runs the sources as they are; it does not inherit what runs TypeScript.
process.env.TSX_DISABLE_CACHE = "1"; // its cache is a folder in the temporary one that others may have made
const { register } = await import("tsx/esm/api");
register();
await import(process.argv[2]);
