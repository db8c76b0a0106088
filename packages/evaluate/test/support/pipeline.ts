import {
  datasetLayout,
  predictionsLayout,
  questionsOf,
  SeededRandom,
  squadFileSchema,
  type Candidate,
  type PredictionSplit,
  type Question,
  type SquadFile,
} from "@bertqa/core";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
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

/** The artifacts that evaluate reads, in a temporary folder that {@link FakePipeline.remove} takes away. */
export interface FakePipeline {
  readonly folders: { readonly pipelineFolder: string; readonly artifactsFolder: string };
  remove(): void;
}

export interface FakePipelineContent {
  readonly train: SquadFile;
  readonly dev: SquadFile;
  readonly answers: Readonly<Partial<Record<PredictionSplit, MadeUpAnswers>>>;
}

/** Writes artifacts of fetch, train and predict with the given content. */
export async function makePipeline({ train, dev, answers }: FakePipelineContent): Promise<FakePipeline> {
  const root = mkdtempSync(join(tmpdir(), "bertqa-evaluate-"));
  const folders = { pipelineFolder: root, artifactsFolder: join(root, "pipeline") };
  const describe = { options: {}, counts: {}, versions: {}, inputs: {} };
  const dataset = await writeArtifact("fetch", join(folders.artifactsFolder, "fetch"), async (draft) => {
    await writeFile(await draft.path(datasetLayout.splitFile("train")), JSON.stringify(train));
    await writeFile(await draft.path(datasetLayout.splitFile("dev")), JSON.stringify(dev));
    const options = { encoder: { sources: ["hub:owner/tiny-bert@0123"] } };
    return { ...describe, kind: "dataset", options };
  });
  const model = await writeArtifact("train", join(folders.artifactsFolder, "train"), async (draft) => {
    await writeFile(await draft.path("model/config.json"), "{}");
    await writeFile(await draft.path("log.jsonl"), "");
    return { ...describe, kind: "model" };
  });
  await writeArtifact("predict", join(folders.artifactsFolder, "predict"), async (draft) => {
    for (const [split, made] of Object.entries(answers) as [PredictionSplit, MadeUpAnswers][]) {
      const write = async (name: string, value: unknown) => writeFile(await draft.path(name), JSON.stringify(value));
      const ids = Object.keys(made.bestSpans);
      const zero = ids.map((id) => [id, (made.nullOdds[id] as number) > 0 ? "" : made.bestSpans[id]]);
      await write(predictionsLayout.predictions(split), Object.fromEntries(zero));
      await write(predictionsLayout.bestSpans(split), made.bestSpans);
      await write(predictionsLayout.nullOdds(split), made.nullOdds);
      const questions = questionsOf(split === "dev" ? dev : train);
      await write(predictionsLayout.nbest(split), nbestOf(questions, made));
    }
    const inputs = { dataset: dataset.manifest.contentSha256, model: model.manifest.contentSha256 };
    return { ...describe, kind: "predictions", inputs };
  });
  return { folders, remove: () => rmSync(root, { recursive: true }) };
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
