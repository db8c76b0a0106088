export { isLoopback } from "./host.ts";
export { describeError, type LogLevel, type LogStream } from "./log.ts";
export { HttpProblem } from "./problems.ts";
export { createHttpService, type HttpService, type HttpServiceOptions } from "./service.ts";
export { workSignal } from "./signal.ts";
export { stopOnSignals } from "./stopping.ts";
export { bearerToken, hashToken, type HttpToken } from "./tokens.ts";
