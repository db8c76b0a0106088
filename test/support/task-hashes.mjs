// Prints Nx's hash of every stage of the pipeline `tiny` of the workspace in the current folder, as one JSON object, without running
// any. Nx has no command for that; what is imported here is what its own task runner calls.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const nx = (path) => require(join(require.resolve("nx/package.json"), "../dist/src", path));
const { createProjectGraphAsync } = nx("devkit-exports.js");
const { createTaskHasher } = nx("hasher/create-task-hasher.js");
const { createTaskGraph } = nx("tasks-runner/create-task-graph.js");

const graph = await createProjectGraphAsync();
const { tasks, ...rest } = createTaskGraph(graph, {}, ["tiny"], ["export"], undefined, {});
const hasher = createTaskHasher(graph, JSON.parse(readFileSync("nx.json", "utf8")), {});
const hashes = {};
for (const [id, task] of Object.entries(tasks)) {
  if (task.target.project !== "tiny") continue;
  const [hash] = await hasher.hashTasks([task], { tasks, ...rest }, { [id]: process.env });
  hashes[task.target.target] = hash.value;
}
process.stdout.write(JSON.stringify(hashes));
process.exit(0); // Nx leaves handles open
