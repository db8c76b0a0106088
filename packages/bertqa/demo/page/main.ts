import { addFact, addRemark, startPage } from "@bertqa/page/browser";
import { prepareOffline, worksOffline } from "./offline.ts";
import { WorkerBackEnd } from "./worker-back-end.ts";

/** The worker's path, put in when the page is built. */
declare const modelWorkerPath: string;

const prepare = () =>
  prepareOffline((take) => addRemark("There is a new version of this page.", { label: "Change to it", run: take }));
const backEnd = new WorkerBackEnd(new URL(modelWorkerPath, document.baseURI), prepare);
void startPage({ backEnd }).then(async () => {
  if (await worksOffline()) addFact("works offline");
});
