/** Linear warm-up from 0 to the peak rate, then linear decay to 0 (`get_linear_schedule_with_warmup` of transformers). */
export interface Schedule {
  readonly peakLearningRate: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
}

/** The rate of optimizer step `step`, counted from 0. */
export function learningRateAt(schedule: Schedule, step: number): number {
  const { peakLearningRate, warmupSteps, totalSteps } = schedule;
  if (step < warmupSteps) return (peakLearningRate * step) / Math.max(1, warmupSteps);
  return peakLearningRate * Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps));
}
