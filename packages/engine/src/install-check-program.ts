import type { CheckResult } from "./install-check.ts";
import { openEngine } from "./load.ts";

const { tf, binding, device } = await openEngine({ threads: 1, stderrTap: undefined });
const left = tf.tensor2d([1, 2, 3, 4], [2, 2]);
const right = tf.tensor2d([5, 6, 7, 8], [2, 2]);
const product = [...(await tf.matMul(left, right).data())];
const result: CheckResult = { tensorflow: binding.TF_Version, device, product };
process.stdout.write(`${JSON.stringify(result)}\n`);
