import { datasetLayout, defineStage } from "@bertqa/core";
import { squadText } from "@bertqa/squad";
import { writeFile } from "node:fs/promises";
import { countsFor } from "./dataset.ts";
import { fetchFiles, type FetchedFile } from "./download.ts";
import { writeEncoder } from "./encoder/write.ts";
import { fetchEnvironment, type FetchEnvironment } from "./environment.ts";
import { fetchOptionsSchema } from "./options.ts";
import { localFilesOf, planFetch, type FetchSet } from "./plan.ts";
import { readDataset } from "./read-dataset.ts";
import { mapSplitsInTurn, splitEntries } from "./splits.ts";

/**
 * Brings the dataset and the encoder from their sources, checks them, and writes them as one artifact.
 *
 * Throws a BertqaError if no source gives a file, a file is not the pinned one, or (`onInvalid: "fail"`) a row is bad.
 *
 * @param environmentOf where downloads are kept and how they are tried again; for tests
 */
export function createFetchStage(environmentOf: () => FetchEnvironment) {
  return defineStage({
    name: "fetch",
    summary: "Brings a dataset and a pretrained encoder from their sources and checks them",
    options: fetchOptionsSchema,
    reads: {},
    writes: "dataset",
    // Local files lie at no address of the hub, so a wrong HF_ENDPOINT is told where it is used.
    localFiles: (options, pipelineFolder) => localFilesOf(planFetch(options, { pipelineFolder, hubEndpoint: "" })),
    run: async ({ options, draft, reporter, pipelineFolder, where, logFolder }) => {
      const environment = environmentOf();
      const plan = planFetch(options, { pipelineFolder, hubEndpoint: environment.hubEndpoint });
      const bring = (title: FetchSet["title"]) =>
        fetchFiles(plan.find((set) => set.title === title) as FetchSet, where, environment, reporter);
      const files = await mapSplitsInTurn(
        options.dataset,
        async (_given, split) => (await bring(split)).get(split) as FetchedFile,
      );
      const dataset = await readDataset(files, { options, where, reporter, logFolder });
      await writeEncoder(await bring("encoder"), draft, reporter);
      for (const [split, data] of splitEntries(dataset.data)) {
        await writeFile(
          await draft.path(datasetLayout.splitFile(split)),
          squadText("fetch", data, "Keep fewer, with firstQuestions"),
        );
      }
      return { counts: countsFor(dataset) };
    },
  });
}

export const fetchStage = createFetchStage(fetchEnvironment);
