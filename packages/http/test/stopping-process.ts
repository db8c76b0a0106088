// A service as a process of its own: prints its address, then a line for a request taken, and answers when it is stopped.
import { once } from "node:events";
import { createHttpService, stopOnSignals } from "../src/index.ts";

const service = await createHttpService({ logLevel: "silent" });
const stopping = new EventTarget();
service.app.get("/slow", async () => {
  process.stdout.write("taken\n");
  await once(stopping, "stop");
  return { text: "whole" };
});
stopOnSignals(async () => {
  const stopped = service.stop();
  stopping.dispatchEvent(new Event("stop"));
  await stopped;
}, 5000);
process.stdout.write(`${await service.listen()}\n`);
