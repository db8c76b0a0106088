import { z } from "zod";

/** Options of the export stage: `pipelines/<name>/export.json`. They go into the model card. */
export const exportOptionsSchema = z.strictObject({
  title: z.string().min(1).optional().describe("Heading of the model card; default: the pipeline's name"),
  encoderLicense: z
    .string()
    .min(1)
    .default("unknown")
    .describe("Licence of the pretrained encoder by its Hugging Face or SPDX id, for example apache-2.0"),
  dataLicense: z.string().min(1).default("unknown").describe("Licence of the training data, likewise"),
  language: z.string().min(1).default("en").describe("Language of the data, by its ISO 639 code"),
});
export type ExportOptions = z.output<typeof exportOptionsSchema>;
