import { BertqaError } from "@bertqa/squad";
import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";
import type { ModelInputs } from "./batches.ts";

/** What is used of onnxruntime-node and onnxruntime-web, which share it. */
export interface OnnxRuntime {
  readonly InferenceSession: {
    create(model: string | Uint8Array, options?: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: TensorConstructor;
}

/** Logits float32 [B, L] row-major; meaningless at padding. */
export interface Logits {
  readonly startLogits: Float32Array;
  readonly endLogits: Float32Array;
}

/** A loaded model. `dispose` when done. */
export interface ModelSession {
  run(inputs: ModelInputs): Promise<Logits>;
  dispose(): Promise<void>;
}

/**
 * Loads a model file.
 *
 * @param model path, or the file's bytes
 * @param where the file, for messages
 * @throws BertqaError if ONNX Runtime refuses it
 */
export async function openSession(
  runtime: OnnxRuntime,
  model: string | Uint8Array,
  options: InferenceSession.SessionOptions,
  where: string,
): Promise<ModelSession> {
  const { InferenceSession, Tensor } = runtime;
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(model, options);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new BertqaError("bertqa", `ONNX Runtime cannot load the model: ${detail}`, {
      // What is asked of the runtime may be at fault as well as the file.
      remedy: `${Object.keys(options).length > 0 ? "Leave out threads and sessionOptions, or export" : "Export"} the model again`,
      where,
      cause,
    });
  }
  return {
    run: async ({ windowCount, tokenCount, inputIds, attentionMask, tokenTypeIds }) => {
      const tensor = (data: BigInt64Array) => new Tensor("int64", data, [windowCount, tokenCount]);
      const outputs = await session.run({
        input_ids: tensor(inputIds),
        attention_mask: tensor(attentionMask),
        token_type_ids: tensor(tokenTypeIds),
      });
      return { startLogits: floats(outputs["start_logits"]), endLogits: floats(outputs["end_logits"]) };
    },
    dispose: () => session.release(),
  };
}

function floats(tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new BertqaError("bertqa", `the model gives logits of type ${tensor?.type ?? "none"}, expected float32`);
}
