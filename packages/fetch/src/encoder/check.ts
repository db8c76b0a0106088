import { z } from "zod";

/** The parts of `config.json` that show whether bertqa can use an encoder at all; the model package checks the rest. */
export const encoderConfigSchema = z.object({ model_type: z.string(), vocab_size: z.int().positive() });

/** The parts of `tokenizer.json` that show a vocabulary. */
export const tokenizerSchema = z.object({
  model: z.object({ vocab: z.record(z.string(), z.int().nonnegative()) }),
});

/** Says why an encoder cannot be fine-tuned here, or nothing. */
export function findEncoderProblem(
  config: z.output<typeof encoderConfigSchema>,
  tokenizer: z.output<typeof tokenizerSchema>,
): string | undefined {
  if (config.model_type !== "bert") {
    return `config.json has model_type ${JSON.stringify(config.model_type)}, expected "bert"`;
  }
  const ids = Object.values(tokenizer.model.vocab);
  if (ids.length === 0) return "tokenizer.json has an empty vocabulary";
  const largest = ids.reduce((a, b) => Math.max(a, b));
  if (largest < config.vocab_size) return undefined;
  return `tokenizer.json has token ids up to ${largest}, but config.json has vocab_size ${config.vocab_size}`;
}
