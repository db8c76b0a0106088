import type { Decision } from "@bertqa/answers";
import { countOf, encoderName, formatBytes, type Manifest, type PlainScore } from "@bertqa/core";
import { z } from "zod";
import type { OnnxPrecision } from "./onnx/bert.ts";
import type { ExportOptions } from "./options.ts";
import type { Estimate, Report } from "./report.ts";

/** What a model card is written from. */
export interface CardSources {
  readonly pipeline: string;
  readonly options: ExportOptions;
  readonly decision: Decision;
  readonly report: Report;
  /** Manifests of fetch's and train's artifacts. */
  readonly dataset: Manifest;
  readonly model: Manifest;
  /** Sizes of the ONNX files. */
  readonly bytes: Readonly<Record<OnnxPrecision, number>>;
}

/** Groups shown of those that the model is worst at, and the least questions that make a group tell something. */
const weakestShown = 6;
const leastQuestions = 10;

/** The model card: Markdown with Hugging Face's metadata in front. Equal sources give equal text: it holds no date. */
export function modelCard(sources: CardSources): string {
  const { pipeline, options, report, decision, dataset, model, bytes } = sources;
  const title = options.title ?? pipeline;
  const { train, extra, dev, encoder } = sourcesOf(dataset);
  const source = (label: string) => `\`${publicName(label)}\``;
  const data = `train ${source(train)}${extra === undefined ? "" : `, beside it ${source(extra)}`}, dev ${source(dev)}`;
  const parts = [
    metadata(sources),
    `# ${title}`,
    `${encoderName(dataset)} fine-tuned for extractive question answering: it marks the answer to a question in a passage${decision.noAnswerAllowed ? ", or says that the passage holds none" : ""}. Made by the pipeline \`${pipeline}\` of bertqa.`,
    "## Use",
    usage,
    "## Scores",
    scoreTable(report),
    `Chosen on: ${decision.threshold.basis.text} (${decision.threshold.basis.rule}). The int8 file is another model as far as scores go: score it with \`npx bertqa score --model DIR --data FILE --precision int8\`. Its weights have 7 bits, so that it gives the same on processors with and without VNNI.`,
    ...(report.sanity ? [sanityLine(report.sanity.all)] : []),
    ...(report.remarks.length > 0 ? [report.remarks.map((remark) => `- ${remark}`).join("\n")] : []),
    "## What it is bad at",
    weakest(report),
    "## Data and training",
    `Data: ${data}, licence: ${options.dataLicense}. Encoder: ${source(encoder)}, licence: ${options.encoderLicense}.`,
    optionTable(model),
    "## Files",
    [
      `- \`config.json\`, \`model.safetensors\`, tokenizer files: for Python's transformers`,
      `- \`onnx/model.onnx\`: float32, ${formatBytes(bytes.float32)}; \`onnx/model_quantized.onnx\`: int8, ${formatBytes(bytes.int8)}; inputs int64 \`input_ids\`, \`attention_mask\`, \`token_type_ids\` [batch, tokens], outputs \`start_logits\`, \`end_logits\``,
      `- \`decision.json\`: windows, longest answer, threshold and calibration, which turn logits into answers`,
    ].join("\n"),
  ];
  return `${parts.join("\n\n")}\n`;
}

const npmName = "bertqa";

const usage = `\`\`\`ts
import { loadQuestionAnswering } from ${JSON.stringify(npmName)};
const qa = await loadQuestionAnswering("DIR");
const { answer, score, span } = await qa.answer({ question: "Who wrote it?", context: "Ada wrote it in 1843." });
console.log(answer, score, span);
await qa.dispose();
\`\`\`

\`\`\`python
from transformers import AutoModelForQuestionAnswering, AutoTokenizer
tokenizer, model = AutoTokenizer.from_pretrained("DIR"), AutoModelForQuestionAnswering.from_pretrained("DIR")
inputs = tokenizer("Who wrote it?", "Ada wrote it in 1843.", return_tensors="pt")
logits = model(**inputs)
print(tokenizer.decode(inputs.input_ids[0, logits.start_logits.argmax() : logits.end_logits.argmax() + 1]))
\`\`\`

The Python lines are the bare model: windows, "no answer" and the threshold of \`decision.json\` are left to you there.`;

/** https://huggingface.co/docs/hub/model-cards#model-card-metadata */
function metadata({ options, dataset }: CardSources): string {
  const base = /^hub:([^@]+)@?/.exec(sourcesOf(dataset).encoder)?.[1];
  const fields = [
    `license: ${yamlText(options.encoderLicense)}`,
    `language: ${yamlText(options.language)}`,
    "pipeline_tag: question-answering",
    "library_name: transformers",
    ...(base === undefined ? [] : [`base_model: ${yamlText(base)}`]),
    "tags: [bertqa, onnx, transformers.js]",
  ];
  return ["---", ...fields, "---"].join("\n");
}

/** A JSON string is a YAML string. */
function yamlText(text: string): string {
  return JSON.stringify(text);
}

function scoreTable({ scores, primary, counts }: Report): string {
  const intervals = counts.articles > 1 ? ", with 95 % intervals by article" : "";
  const head = `On ${countOf(counts.questions, "question")} of ${countOf(counts.articles, "article")} (${counts.answerable} with an answer, ${counts.unanswerable} without), percent${intervals}:`;
  const rows = scores.map(({ kind, label, nullOddsThreshold, all, hasAns, noAns }) => {
    const name = kind === primary ? `**${label}**` : label;
    const threshold = nullOddsThreshold?.toFixed(2) ?? "–";
    const halves = [hasAns, noAns].map((half) => (half ? half.f1.value.toFixed(1) : "–"));
    return `| ${[name, threshold, shown(all.exact), shown(all.f1), ...halves].join(" | ")} |`;
  });
  const columns = "| threshold | null odds | exact match | F1 | F1 with an answer | F1 without |";
  return [head, "", columns, "| --- | --- | --- | --- | --- | --- |", ...rows].join("\n");
}

/** Few questions, picked to be hard, so without an interval. */
function sanityLine({ exact, f1, total }: PlainScore): string {
  const questions = `${countOf(total, "question")} picked to be hard`;
  return `Sanity set, ${questions}, at the threshold in bold: exact match ${exact.toFixed(1)}, F1 ${f1.toFixed(1)}. Nothing was chosen on it.`;
}

function shown({ value, interval }: Estimate): string {
  const range = interval ? ` (${interval.map((bound) => bound.toFixed(1)).join("–")})` : "";
  return `${value.toFixed(1)}${range}`;
}

function weakest({ breakdowns }: Report): string {
  const groups = breakdowns
    .filter(({ by }) => by !== "article")
    .flatMap(({ by, groups }) => groups.map((group) => ({ by, ...group })))
    .filter(({ total }) => total >= leastQuestions)
    .sort((a, b) => a.f1 - b.f1)
    .slice(0, weakestShown);
  if (groups.length === 0) return `No group of questions is large enough (${leastQuestions}) to tell.`;
  const rows = groups.map(
    ({ by, label, total, exact, f1 }) => `| ${by}: ${label} | ${total} | ${exact.toFixed(1)} | ${f1.toFixed(1)} |`,
  );
  return ["| group | questions | exact match | F1 |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** A file on this machine is a path, one elsewhere has a pin. */
const sourceSchema = z.union([z.string(), z.object({ url: z.string() }).transform(({ url }) => url)]);
const setSchema = z.object({ sources: z.array(sourceSchema).min(1) });
/** The part of fetch's options that says where the data came from. */
const datasetOptionsSchema = z.object({
  dataset: z.object({ train: setSchema, dev: setSchema, extra: setSchema.optional() }),
  encoder: setSchema,
});

/** Where what was learned from and measured by came from, and the encoder: each by the first of its sources. */
function sourcesOf({ options }: Manifest): { train: string; extra: string | undefined; dev: string; encoder: string } {
  const { dataset, encoder } = datasetOptionsSchema.parse(options);
  const first = ({ sources }: z.output<typeof setSchema>) => sources[0] as string;
  const extra = dataset.extra && first(dataset.extra);
  return { train: first(dataset.train), extra, dev: first(dataset.dev), encoder: first(encoder) };
}

/** A source as everybody may see it: an address without user name, password and query, a local file without its folders. */
function publicName(source: string): string {
  if (/^(hub|pypi):/.test(source)) return source;
  if (!/^https?:/.test(source) || !URL.canParse(source)) return source.split(/[/\\]/).at(-1) ?? source;
  const { origin, pathname } = new URL(source);
  return origin + pathname;
}

function optionTable({ options, resolved, counts }: Manifest): string {
  const rows = Object.entries({ ...options, ...resolved, ...counts }).map(
    ([name, value]) => `| ${name} | ${String(value)} |`,
  );
  return ["| option | value |", "| --- | --- |", ...rows].join("\n");
}
