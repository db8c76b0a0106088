import { parseDecision } from "@bertqa/answers";
import {
  BertqaError,
  defineStage,
  evaluationLayout,
  formatBytes,
  parseBertConfig,
  readJsonFile,
  readSafetensors,
  tokenizerFiles,
  type ArtifactDraft,
  type Reporter,
} from "@bertqa/core";
import { existsSync } from "node:fs";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { modelCard } from "./card.ts";
import { bertToOnnx, type OnnxPrecision } from "./onnx/bert.ts";
import { exportOptionsSchema } from "./options.ts";
import { reportSchema } from "./report.ts";

const stage = "export";

/** The names that transformers.js looks for. */
const onnxFiles: readonly (readonly [OnnxPrecision, string])[] = [
  ["float32", "onnx/model.onnx"],
  ["int8", "onnx/model_quantized.onnx"],
];

/**
 * Puts the trained model into one folder that Python's transformers, transformers.js, ONNX Runtime and bertqa load, with the
 * rules that turn its logits into answers and a model card.
 *
 * Throws a BertqaError if the model lacks a file or a tensor.
 */
export const exportStage = defineStage({
  name: stage,
  summary: "Writes the model as files that other programs load, with a model card",
  options: exportOptionsSchema,
  reads: {
    dataset: { kind: "dataset", from: "fetch" },
    model: { kind: "model", from: "train" },
    evaluation: { kind: "evaluation", from: "evaluate" },
  },
  writes: "export",
  run: async ({ options, inputs, draft, reporter, pipeline }) => {
    const { dataset, model, evaluation } = inputs;
    const modelFolder = await model.modelFolder();
    await copyModel(modelFolder, draft);
    const bytes = await writeOnnx(modelFolder, draft, reporter);
    const decisionFile = await evaluation.artifact.file(evaluationLayout.decision);
    const decision = parseDecision(stage, await readJsonFile(stage, decisionFile, z.unknown()), decisionFile);
    await writeFile(await draft.path("decision.json"), `${JSON.stringify(decision, null, 2)}\n`);
    const report = await readJsonFile(stage, await evaluation.artifact.file(evaluationLayout.report), reportSchema);
    const card = modelCard({
      pipeline,
      options,
      decision,
      report,
      dataset: dataset.artifact.manifest,
      model: model.artifact.manifest,
      bytes,
    });
    await writeFile(await draft.path("README.md"), card);
    return { counts: { float32Bytes: bytes.float32, int8Bytes: bytes.int8 } };
  },
});

/** The files that `AutoModelForQuestionAnswering` and `AutoTokenizer` read. */
async function copyModel(modelFolder: string, draft: ArtifactDraft): Promise<void> {
  const there = tokenizerFiles.filter((name) => existsSync(join(modelFolder, name)));
  if (!there.some((name) => name === "tokenizer.json" || name === "vocab.txt")) {
    throw new BertqaError(stage, "the model has neither tokenizer.json nor vocab.txt", { where: modelFolder });
  }
  for (const name of ["config.json", "model.safetensors", ...there]) {
    await copyFile(join(modelFolder, name), await draft.path(name));
  }
}

async function writeOnnx(
  modelFolder: string,
  draft: ArtifactDraft,
  reporter: Reporter,
): Promise<Record<OnnxPrecision, number>> {
  const configFile = join(modelFolder, "config.json");
  const config = parseBertConfig(await readJsonFile(stage, configFile, z.unknown()), stage, configFile);
  const tensors = await readSafetensors(join(modelFolder, "model.safetensors"), stage);
  const bytes = { float32: 0, int8: 0 };
  for (const [precision, name] of onnxFiles) {
    const model = bertToOnnx(config, tensors, precision);
    await writeFile(await draft.path(name), model);
    bytes[precision] = model.length;
    reporter.line(`${name}: ${precision}, ${formatBytes(model.length)}`);
  }
  return bytes;
}
