export { numberClusters, pairedDifference, type BootstrapPlan, type PairedDifference } from "./analysis/bootstrap.ts";
export { keptEvaluations, keptResultsPath, readHistory, type HistoryEntry } from "./history.ts";
export { evaluateOptionsSchema } from "./options.ts";
export { evaluateStage } from "./stage.ts";
export { escapeMarkdown, markdownTable, signed } from "./summary.ts";
