// A service as a process of its own: prints its address, then a line for a request taken and one for each signal. It answers when the
// signals of its first argument have come; the second is the time in which one is an echo. `/defect` throws where nobody catches it.
import { once } from "node:events";
import { createHttpService, stopOnSignals } from "../src/index.ts";

const [signalCount = "1", echoMs] = process.argv.slice(2);
const service = await createHttpService({ logLevel: "fatal" });
const stopping = new EventTarget();
service.app.get("/slow", async () => {
  process.stdout.write("taken\n");
  await once(stopping, "stop");
  return { text: "whole" };
});
service.app.get("/defect", async () => {
  setImmediate(() => {
    throw new TypeError("a passage");
  });
  return {};
});
stopOnSignals(service, undefined, echoMs === undefined ? undefined : Number(echoMs));
let count = 0;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    process.stdout.write("signal\n");
    if (++count === Number(signalCount)) stopping.dispatchEvent(new Event("stop"));
  });
}
process.stdout.write(`${await service.listen()}\n`);
