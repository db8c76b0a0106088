export { buildReport, type ReportData, type TrainingPoint } from "./build.ts";
export * from "./evaluation.ts";
export { highestShare, histogramPlot, precisionRecallPlot } from "./plots.ts";
export { plotHeight, plotWidth, seriesColours } from "./svg.ts";
