export { openFolderStore } from "./folder-store.ts";
export { openS3Store, type Bucket } from "./s3-store.ts";
export { createCacheServer, type CacheServerOptions } from "./server.ts";
export type { Store } from "./store.ts";
export { addToken, followTokens, removeToken, type Purpose } from "./tokens.ts";
export { stopOnSignals } from "@bertqa/http";
