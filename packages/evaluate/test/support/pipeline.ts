import {
  datasetLayout,
  modelLayout,
  predictionsLayout,
  questionsOf,
  SeededRandom,
  squadFileSchema,
  type Candidate,
  type PredictionSplit,
  type Question,
  type SquadFile,
} from "@bertqa/core";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeArtifact } from "@bertqa/runner";

const corpus = new URL("../../../../pipelines/sample/corpus/", import.meta.url);

/** A split of the sample corpus. */
export function sampleFile(split: "train" | "dev"): SquadFile {
  return squadFileSchema.parse(JSON.parse(readFileSync(new URL(`${split}.json`, corpus), "utf8")));
}

/** What a made-up model says: right, cut short, or another word; null odds that lean the right way. */
export interface MadeUpAnswers {
  readonly bestSpans: Record<string, string>;
  readonly nullOdds: Record<string, number>;
}

/** Answers that depend on the seed alone. @param skill share of the answers that are right */
export function madeUpAnswers(questions: readonly Question[], seed: number, skill = 0.7): MadeUpAnswers {
  const random = new SeededRandom(seed, "answers");
  const chance = () => random.integerBelow(1000) / 1000;
  const bestSpans: Record<string, string> = {};
  const nullOdds: Record<string, number> = {};
  for (const { id, answers, context } of questions) {
    const gold = answers[0]?.text;
    // Longer than an article: a span that normalises to nothing would be right where there is no answer.
    const words = context.split(" ").filter((word) => word.length > 3);
    const other = words[random.integerBelow(words.length)] as string;
    const draw = chance();
    bestSpans[id] =
      gold === undefined || draw > skill + 0.15 ? other : draw > skill ? (gold.split(" ")[0] as string) : gold;
    const lean = gold === undefined ? 1 : -2;
    nullOdds[id] = Math.round((lean + 6 * (chance() - 0.5)) * 1000) / 1000;
  }
  return { bestSpans, nullOdds };
}

type Answers = Readonly<Partial<Record<PredictionSplit, MadeUpAnswers>>>;

/**
 * A pipeline's folder with `evaluate.json`, and the artifacts that evaluate reads, all in a temporary folder that
 * {@link FakePipeline.remove} takes away.
 */
export interface FakePipeline {
  readonly folders: { readonly pipelineFolder: string; readonly artifactsFolder: string };
  /** Makes the predictions anew, as another training would. */
  predict(answers: Answers): Promise<void>;
  remove(): void;
}

export interface FakePipelineContent {
  readonly train: SquadFile;
  readonly dev: SquadFile;
  readonly sanity?: SquadFile;
  readonly answers: Answers;
  /** False for predictions that always give an answer. */
  readonly noAnswerAllowed?: boolean;
}

/** Writes artifacts of fetch, tokenize, train and predict with the given content. */
export async function makePipeline(content: FakePipelineContent): Promise<FakePipeline> {
  const { train, dev, sanity, answers, noAnswerAllowed = true } = content;
  const root = mkdtempSync(join(tmpdir(), "bertqa-evaluate-"));
  const pipelineFolder = join(root, "pipeline");
  const artifactsFolder = join(pipelineFolder, "artifacts", "pipeline");
  mkdirSync(pipelineFolder);
  writeFileSync(join(pipelineFolder, "evaluate.json"), '{"bootstrapSamples": 50}');
  const describe = { options: {}, resolved: {}, counts: {}, versions: {}, inputs: {} };
  const make = (stage: string, fill: Parameters<typeof writeArtifact>[2]) =>
    writeArtifact(stage, join(artifactsFolder, stage), fill);

  const dataset = await make("fetch", async (draft) => {
    await writeFile(await draft.path(datasetLayout.splitFile("train")), JSON.stringify(train));
    await writeFile(await draft.path(datasetLayout.splitFile("dev")), JSON.stringify(dev));
    if (sanity) await writeFile(await draft.path(datasetLayout.splitFile("sanity")), JSON.stringify(sanity));
    const options = { encoder: { sources: ["hub:owner/tiny-bert@0123"] } };
    return { ...describe, kind: "dataset", options };
  });
  const windows = await make("tokenize", async (draft) => {
    await writeFile(await draft.path("tokenizer/vocab.txt"), "[PAD]");
    const options = { maxTokens: 384, windowOverlapTokens: 128, maxQuestionTokens: 64 };
    return { ...describe, kind: "windows", options };
  });
  const model = await make("train", async (draft) => {
    await writeFile(await draft.path("model/config.json"), "{}");
    const rows = [1, 2].map((step) => ({ step, totalSteps: 2, loss: 5 / step, learningRate: 1e-5 }));
    await writeFile(await draft.path(modelLayout.log), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return { ...describe, kind: "model" };
  });
  const hashes = { dataset, windows, model };
  const inputs = Object.fromEntries(
    Object.entries(hashes).map(([slot, { manifest }]) => [slot, manifest.contentSha256]),
  );
  const predict = async (given: Answers) => {
    await make("predict", async (draft) => {
      for (const [split, made] of Object.entries(given) as [PredictionSplit, MadeUpAnswers][]) {
        const write = async (name: string, value: unknown) => writeFile(await draft.path(name), JSON.stringify(value));
        const ids = Object.keys(made.bestSpans);
        const zero = ids.map((id) => [
          id,
          noAnswerAllowed && (made.nullOdds[id] as number) > 0 ? "" : made.bestSpans[id],
        ]);
        await write(predictionsLayout.predictions(split), Object.fromEntries(zero));
        await write(predictionsLayout.bestSpans(split), made.bestSpans);
        await write(predictionsLayout.nullOdds(split), made.nullOdds);
        const questions = questionsOf({ dev, tune: train, sanity: sanity ?? dev }[split]);
        await write(predictionsLayout.nbest(split), nbestOf(questions, made));
      }
      const options = { maxAnswerTokens: 30, nBest: 20 };
      return { ...describe, kind: "predictions", inputs, options, resolved: { noAnswerAllowed } };
    });
  };
  await predict(answers);
  return { folders: { pipelineFolder, artifactsFolder }, predict, remove: () => rmSync(root, { recursive: true }) };
}

function nbestOf(questions: readonly Question[], { bestSpans }: MadeUpAnswers): Record<string, Candidate[]> {
  const entries = questions.flatMap(({ id, context }) => {
    const text = bestSpans[id];
    if (text === undefined) return [];
    const start = context.indexOf(text);
    const codePoints = [...context.slice(0, start)].length;
    const candidate: Candidate = {
      text,
      probability: 1,
      start_logit: 1,
      end_logit: 1,
      code_points: [codePoints, codePoints + [...text].length],
      utf16: [start, start + text.length],
    };
    return [[id, [candidate]] as [string, Candidate[]]];
  });
  return Object.fromEntries(entries);
}
