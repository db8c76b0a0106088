import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFetchStage } from "../src/stage.ts";
import { repositoryFolder, temporaryFolder, testEnvironment, writeLocalPipeline } from "./support.ts";
import { runIn } from "../../../test/support/run-stage.ts";

const sharedFolder = process.env["BERTQA_SHARED"] ?? join(repositoryFolder, "../shared");
const squadFolder = join(sharedFolder, "squad2");

test.skipIf(!existsSync(squadFolder))("real questions of SQuAD 2.0 have no problem, and the known counts", async () => {
  const folder = await temporaryFolder();
  const dataset = {
    train: { sources: [join(squadFolder, "train-10k.json")] },
    dev: { sources: [join(squadFolder, "dev.json")] },
  };
  const options = await writeLocalPipeline(folder, { "fetch.json": { dataset, encoder: { sources: ["encoder"] } } });
  const folders = { pipelineFolder: folder, artifactsFolder: join(folder, "artifacts") };
  const { manifest } = await runIn(
    createFetchStage(() => testEnvironment(folder)),
    options,
    folders,
  );
  expect(manifest.counts).toMatchObject({
    ...{ trainArticles: 29, trainQuestions: 10_299, trainUnanswerable: 3_168, trainSkipped: 0 },
    ...{ devArticles: 10, devQuestions: 2_715, devUnanswerable: 1_307, devSkipped: 0 },
  });
});
