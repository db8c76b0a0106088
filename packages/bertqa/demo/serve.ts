import { createHttpService, type HttpService } from "@bertqa/http";
import { BertqaError } from "@bertqa/squad";
import { addPage, readPage } from "../src/serve/page-files.ts";

/**
 * A server of what build wrote, for this machine alone, with the headers that threads need. It holds the files as they are now.
 *
 * @param port 0: any free one
 * @throws BertqaError if the folder holds no index.html
 */
export async function serveDemo(folder: string, port = 0): Promise<HttpService> {
  const files = await readPage(folder);
  if (!files.has("index.html")) {
    throw new BertqaError("demo", `there is no demo in ${folder}`, { remedy: "Run npx nx run demo:build first" });
  }
  // A browser that plays a slow network takes minutes for the model.
  const limits = { handlerMs: 600_000, idleMs: 660_000 };
  const service = await createHttpService({ port, limits, logLevel: "warn" });
  addPage(service, files);
  return service;
}
