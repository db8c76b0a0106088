import { BertqaError } from "@bertqa/squad";
import { z } from "zod";

/** The fields of a Hugging Face BERT `config.json` that the model reads. */
export interface BertConfig {
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly layerCount: number;
  /** Number of attention heads; divides `hiddenSize`. */
  readonly headCount: number;
  readonly intermediateSize: number;
  readonly maxPositions: number;
  readonly tokenTypeCount: number;
  /** The word that batches are padded with and whose embedding is never trained, as PyTorch's `padding_idx`. */
  readonly paddingId: number | undefined;
  readonly layerNormEpsilon: number;
  /** Standard deviation of newly initialised weights. */
  readonly initializerRange: number;
  /** The dropout rates of the file; training may use others. */
  readonly hiddenDropout: number;
  readonly attentionDropout: number;
  readonly activation: "gelu" | "gelu_new";
}

const count = z.int().positive();
const rate = z.number().min(0).lt(1);

/**
 * The fields of a Hugging Face `config.json` that change what the model computes; the rest is kept, unread. Defaults are
 * `BertConfig`'s: the files of Google's first BERTs leave out what came later.
 */
const bertConfigSchema = z.looseObject({
  model_type: z.literal("bert"),
  hidden_act: z.enum(["gelu", "gelu_new"]).default("gelu"),
  position_embedding_type: z.literal("absolute").default("absolute"),
  is_decoder: z.literal(false).default(false),
  add_cross_attention: z.literal(false).default(false),
  vocab_size: count,
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  intermediate_size: count,
  max_position_embeddings: count,
  /** The question's and the passage's. */
  type_vocab_size: z.int().min(2).default(2),
  pad_token_id: z.int().nonnegative().nullable().default(0),
  layer_norm_eps: z.number().positive().default(1e-12),
  initializer_range: z.number().positive().default(0.02),
  hidden_dropout_prob: rate.default(0.1),
  attention_probs_dropout_prob: rate.default(0.1),
});

/**
 * @param raw   the parsed `config.json`
 * @param where its path, for the message
 * @throws BertqaError naming each field that is missing or that this BERT does not do
 */
export function parseBertConfig(raw: unknown, stage: string, where: string): BertConfig {
  const parsed = bertConfigSchema.safeParse(raw);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => {
      const got = JSON.stringify((raw as Record<string, unknown> | null)?.[path.join(".")]) ?? "nothing";
      return `${path.join(".") || "file"}: got ${got}, ${message.replace(/^Invalid (input|option): /, "")}`;
    });
    throw new BertqaError(stage, `the encoder is not a BERT that can be trained: ${problems.join("; ")}`, {
      remedy: "Choose an encoder of BERT's own architecture, with its whole config.json",
      where,
    });
  }
  const c = parsed.data;
  if (c.hidden_size % c.num_attention_heads !== 0) {
    const problem = `hidden_size ${c.hidden_size} is not a multiple of num_attention_heads ${c.num_attention_heads}`;
    throw new BertqaError(stage, problem, { where });
  }
  if ((c.pad_token_id ?? 0) >= c.vocab_size) {
    const problem = `pad_token_id ${c.pad_token_id} is no token: vocab_size is ${c.vocab_size}`;
    throw new BertqaError(stage, problem, { where });
  }
  return {
    vocabularySize: c.vocab_size,
    hiddenSize: c.hidden_size,
    layerCount: c.num_hidden_layers,
    headCount: c.num_attention_heads,
    intermediateSize: c.intermediate_size,
    maxPositions: c.max_position_embeddings,
    tokenTypeCount: c.type_vocab_size,
    paddingId: c.pad_token_id ?? undefined,
    layerNormEpsilon: c.layer_norm_eps,
    initializerRange: c.initializer_range,
    hiddenDropout: c.hidden_dropout_prob,
    attentionDropout: c.attention_probs_dropout_prob,
    activation: c.hidden_act,
  };
}
