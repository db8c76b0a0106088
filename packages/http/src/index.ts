export { isLoopback } from "./host.ts";
export { defaultHttpLimits, type HttpLimits } from "./limits.ts";
export { describeError, type LogLevel, type LogStream } from "./log.ts";
export {
  HttpProblem,
  problemBody,
  problemType,
  sendProblem,
  type ProblemBody,
  type ProblemExtras,
  type ProblemPlace,
} from "./problems.ts";
export { createHttpService, type HttpService, type HttpServiceOptions } from "./service.ts";
export { workSignal } from "./signal.ts";
export { stopOnSignals, type Tally } from "./stopping.ts";
export { bearerToken, hashToken, type HttpToken } from "./tokens.ts";
