// A copy of the model in a thread of its own; see `side-session.ts`.
import { parentPort, workerData } from "node:worker_threads";
import { openModel, type LoadOptions } from "../load-parts.ts";
import type { FromSession, ToSession } from "./side-session.ts";

const port = parentPort!;
const post = (message: FromSession) => port.postMessage(message);
const { model, options } = workerData as { model: string; options: LoadOptions };
const { session } = await openModel(model, options);
port.on("message", (message: ToSession) => {
  if (message.kind === "stop") return void session.dispose().then(() => port.close());
  session.run(message.inputs).then(
    (logits) => post({ kind: "logits", logits }),
    (error: unknown) => post({ kind: "failed", error }),
  );
});
post({ kind: "loaded" });
