import { SeededRandom, writeSafetensors, type HostTensor } from "@bertqa/core";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A whole pipeline so small that each stage takes a second: a BERT with random weights, a tokenizer of letters, made-up questions. */

const specialTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const characters = [..."abcdefghijklmnopqrstuvwxyz0123456789.,?!'-()"];
const vocabulary = [...specialTokens, ...characters, ...characters.map((c) => `##${c}`), "the", "is", "what", "##er"];

// Sizes that all differ, so that swapped axes fail.
const tinyConfig = {
  architectures: ["BertModel"],
  model_type: "bert",
  vocab_size: vocabulary.length,
  hidden_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 3,
  intermediate_size: 20,
  max_position_embeddings: 96,
  type_vocab_size: 2,
  hidden_act: "gelu",
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  layer_norm_eps: 1e-12,
  initializer_range: 0.02,
  pad_token_id: 0,
};

const tinyTokenizer = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: specialTokens.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "TemplateProcessing",
    single: [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0)],
    pair: [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0), sequence("B", 1), special("[SEP]", 1)],
    special_tokens: {
      "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
      "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
    },
  },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
  },
};

function special(id: string, type_id: number) {
  return { SpecialToken: { id, type_id } };
}

function sequence(id: string, type_id: number) {
  return { Sequence: { id, type_id } };
}

/** How much there is of everything. */
export interface TinySize {
  readonly layers: number;
  readonly trainArticles: number;
  readonly devArticles: number;
}

const usualSize: TinySize = { layers: tinyConfig.num_hidden_layers, trainArticles: 8, devArticles: 4 };

/** Writes a Hugging Face folder with a tiny, random BERT encoder. */
async function writeTinyEncoder(folder: string, layers: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const config = { ...tinyConfig, num_hidden_layers: layers };
  await writeFile(join(folder, "config.json"), JSON.stringify(config, null, 2));
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tinyTokenizer));
  await writeFile(join(folder, "vocab.txt"), `${vocabulary.join("\n")}\n`);
  await writeFile(
    join(folder, "tokenizer_config.json"),
    JSON.stringify({ tokenizer_class: "BertTokenizer", do_lower_case: true }),
  );
  await writeSafetensors(join(folder, "model.safetensors"), tinyWeights(layers), { format: "pt" });
}

function tinyWeights(layers: number): Map<string, HostTensor> {
  const { hidden_size: H, intermediate_size: I } = tinyConfig;
  const shapes: Record<string, number[]> = {
    "embeddings.word_embeddings.weight": [tinyConfig.vocab_size, H],
    "embeddings.position_embeddings.weight": [tinyConfig.max_position_embeddings, H],
    "embeddings.token_type_embeddings.weight": [tinyConfig.type_vocab_size, H],
    "embeddings.LayerNorm.weight": [H],
    "embeddings.LayerNorm.bias": [H],
  };
  for (let layer = 0; layer < layers; layer++) {
    const linear = (name: string, outputs: number, inputs: number) => {
      shapes[`encoder.layer.${layer}.${name}.weight`] = [outputs, inputs];
      shapes[`encoder.layer.${layer}.${name}.bias`] = [outputs];
    };
    for (const name of ["query", "key", "value"]) linear(`attention.self.${name}`, H, H);
    linear("attention.output.dense", H, H);
    linear("intermediate.dense", I, H);
    linear("output.dense", H, I);
    for (const name of ["attention.output", "output"]) {
      shapes[`encoder.layer.${layer}.${name}.LayerNorm.weight`] = [H];
      shapes[`encoder.layer.${layer}.${name}.LayerNorm.bias`] = [H];
    }
  }
  const random = new SeededRandom(1, "tiny weights");
  return new Map(Object.entries(shapes).map(([name, shape]) => [name, randomTensor(name, shape, random)]));
}

function randomTensor(name: string, shape: number[], random: SeededRandom): HostTensor {
  const size = shape.reduce((product, length) => product * length, 1);
  const around = name.endsWith("LayerNorm.weight") ? 1 : 0;
  return { shape, data: Float32Array.from({ length: size }, () => around + (random.integerBelow(2001) - 1000) / 5000) };
}

/** A SQuAD 2.0 file of `articles` made-up articles, each with one passage and three questions, one of them unanswerable. */
function tinyDataset(prefix: string, articles: number): object {
  const names = ["ada", "bo", "cy", "di", "ed", "flo", "gus", "hal"];
  const places = ["rome", "oslo", "bern", "lima"];
  return {
    version: "v2.0",
    data: Array.from({ length: articles }, (_, i) => {
      const name = `${names[i % names.length]}${prefix}${i}`;
      const place = places[i % places.length] as string;
      const context = `${name} is a baker. the shop is in ${place}, near the river.`;
      const answerable = (number: number, question: string, text: string) => ({
        id: `${prefix}-${i}-${number}`,
        question,
        answers: [{ text, answer_start: context.indexOf(text) }],
        is_impossible: false,
      });
      const qas = [
        answerable(0, "who is a baker?", name),
        answerable(1, "what is near the river in which town?", place),
        { id: `${prefix}-${i}-2`, question: "when did the baker move?", answers: [], is_impossible: true },
      ];
      return { title: `${prefix} ${i}`, paragraphs: [{ context, qas }] };
    }),
  };
}

/** Stage options of the tiny pipeline; `sources` are relative to the pipeline's folder. */
export const tinyOptions = {
  fetch: {
    dataset: { train: { sources: ["train-data.json"] }, dev: { sources: ["dev-data.json"] } },
    encoder: { sources: ["encoder"] },
  },
  tokenize: { maxTokens: 64, windowOverlapTokens: 16, maxQuestionTokens: 32, tuneShare: 0.25 },
  train: { epochs: 2, batchWindows: 4, learningRate: 1e-3, logEverySteps: 2, checkpointEverySteps: 3 },
  predict: {},
  evaluate: { bootstrapSamples: 50 },
  export: {},
} as const;

/** Writes a folder with data, encoder and one options file a stage. */
export async function writeTinyPipeline(
  folder: string,
  options: Readonly<Record<string, object>> = tinyOptions,
  { layers, trainArticles, devArticles }: TinySize = usualSize,
): Promise<void> {
  await writeTinyEncoder(join(folder, "encoder"), layers);
  await writeFile(join(folder, "train-data.json"), JSON.stringify(tinyDataset("train", trainArticles)));
  await writeFile(join(folder, "dev-data.json"), JSON.stringify(tinyDataset("dev", devArticles)));
  for (const [stage, value] of Object.entries(options)) {
    await writeFile(join(folder, `${stage}.json`), JSON.stringify(value));
  }
}
