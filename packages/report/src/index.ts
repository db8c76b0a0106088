export { buildReport } from "./build.ts";
export * from "./evaluation.ts";
export { highestShare, histogramPlot, precisionRecallPlot } from "./plots.ts";
export { plotHeight, plotWidth } from "./svg.ts";
