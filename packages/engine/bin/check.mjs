import { register } from "tsx/esm/api";

register();
await (await import("../src/install/check.ts")).runSelfTest();
