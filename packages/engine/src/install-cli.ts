import { createReporter, runCommand } from "@bertqa/core";
import { installEngine } from "./install.ts";

await runCommand(async () => {
  const report = createReporter("engine");
  const startedMs = Date.now();
  const record = await installEngine(report);
  const elapsed = ((Date.now() - startedMs) / 1000).toFixed(1);
  report.line(`TensorFlow ${record.tensorflow} on the ${record.device.toUpperCase()} is ready · ${elapsed} s`);
});
