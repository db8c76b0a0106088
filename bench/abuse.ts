// `npm run test:abuse`: requests of random validity, slow and half-open connections, and SIGTERM in the middle of it all.
import { runCommand } from "@bertqa/runner";
import { Command } from "commander";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { percentile, startServer, type RunningServer } from "./server.ts";

interface Options {
  readonly model: string;
  readonly requests: number;
  readonly seed: number;
}

const options = new Command("abuse")
  .description("Ends with 1 if a request that was taken has no answer, or a 5xx comes but 503 while the server stops.")
  .requiredOption("--model <folder>", "an export")
  .option("--requests <n>", "requests before the server is told to stop in the middle of more", Number, 10_000)
  .option("--seed <n>", "of what is sent", Number, 1)
  .parse()
  .opts<Options>();

const random = xoroshiro128plus(options.seed);
const below = (count: number) => uniformInt(random, 0, count - 1);
const pick = <T>(values: readonly T[]) => values[below(values.length)]!;
const json = { "content-type": "application/json" };
const valid = (length: number) =>
  JSON.stringify({
    questions: [{ question: "Who wrote it?", context: "Ada wrote the program in 1843. ".repeat(1 + below(length)) }],
  });

type Kind = () => { readonly path: string; readonly init: RequestInit };
const post = (body: string | Uint8Array, headers: Record<string, string> = json) => ({
  path: "/v1/answers",
  init: { method: "POST", headers, body },
});
const kinds: readonly Kind[] = [
  () => post(valid(8)),
  () => post(valid(8).slice(0, -1 - below(20))),
  () => post(valid(3).replace("{", '{"__proto__":{"a":1},')),
  () => post("[".repeat(below(50_000))),
  () => post(`{"questions":${"[".repeat(10_000)}${"]".repeat(10_000)}}`),
  () => post(JSON.stringify({ questions: Array(65 + below(5000)).fill({}) })),
  () => post(JSON.stringify({ questions: [{ question: "x".repeat(1001 + below(9000)), context: "a" }] })),
  () =>
    post(
      JSON.stringify({ questions: [{ question: pick(["", " ", null, 1, [], {}]), context: pick([null, 1, "a"]) }] }),
    ),
  () => post(new Uint8Array([0x22, 0xc3, 0x28, below(256)])),
  () => post(valid(2), { "content-type": pick(["text/plain", "application/xml", "application/json; charset=utf-16"]) }),
  () => post(valid(2), { ...json, "content-encoding": "gzip" }),
  () => ({ path: pick(["/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/model"]), init: {} }),
  () => ({
    path: `/${pick(["..%2f..%2fetc%2fpasswd", "%00", "%ff", "a".repeat(3000), "v1/answers/x", "%"])}`,
    init: {},
  }),
  () => ({ path: "/v1/answers", init: { method: pick(["GET", "PUT", "DELETE", "OPTIONS", "PATCH"]) } }),
  () => ({ path: "/healthz", init: { headers: { authorization: `Bearer ${"x".repeat(below(5000))}` } } }),
];

const statuses = new Map<string, number>();
const wrong: string[] = [];
let isStopping = false;
let [sent, givenUp, unanswered] = [0, 0, 0];

await runCommand(async () => {
  const server = await startServer(options.model, ["--max-connections", "256"]);
  const hung = await Promise.all(Array.from({ length: 60 }, (_, i) => hang(server, i)));
  const memory = [await server.residentMiB()];
  const workers = Array.from({ length: 32 }, async () => {
    while (sent < options.requests) await ask(server);
  });
  const watch = setInterval(
    () =>
      void server.residentMiB().then(
        (each) => memory.push(each),
        () => {},
      ),
    2000,
  );
  await Promise.all(workers);
  // In the middle of as many more, the server is told to stop.
  const last = Array.from({ length: 32 }, async () => {
    for (let i = 0; i < 20; i += 1) await ask(server);
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  isStopping = true;
  const exit = once(server.child, "exit");
  server.child.kill("SIGTERM");
  await Promise.all(last);
  const [code] = (await exit) as [number | null];
  clearInterval(watch);
  hung.forEach((socket) => socket.destroy());
  report(server, code, memory);
});

/** A client that sends nothing, half its header fields, half its body, or a byte now and then. */
async function hang({ address }: RunningServer, i: number): Promise<Socket> {
  const socket = connect({ port: Number(new URL(address).port), host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  await once(socket, "connect");
  const head =
    "POST /v1/answers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n";
  const begin = ["", head, `${head}\r\n{"que`][i % 3]!;
  if (begin !== "") socket.write(begin);
  if (i % 2 === 0) {
    const timer = setInterval(() => void (socket.writable ? socket.write("x") : clearInterval(timer)), 500).unref();
    socket.once("close", () => clearInterval(timer));
  }
  socket.resume();
  return socket;
}

async function ask({ address }: RunningServer): Promise<void> {
  sent += 1;
  const { path, init } = pick(kinds)();
  const client = new AbortController();
  const givesUp = below(50) === 0;
  if (givesUp) setTimeout(() => client.abort(), below(30));
  try {
    const response = await fetch(address + path, { ...init, signal: client.signal });
    const text = await response.text();
    const { status } = response;
    statuses.set(String(status), (statuses.get(String(status)) ?? 0) + 1);
    if (status >= 500 && !(status === 503 && isStopping)) wrong.push(`${status} for ${path}: ${text.slice(0, 200)}`);
    if (status >= 400 && JSON.parse(text).status !== status) wrong.push(`${status} for ${path} is no problem document`);
  } catch (error) {
    if (client.signal.aborted) givenUp += 1;
    else if (isStopping) unanswered += 1;
    else wrong.push(`${path}: ${String((error as Error).cause ?? error)}`);
  }
}

function report(server: RunningServer, code: number | null, memory: readonly number[]): void {
  const tally = server.lines().find(({ msg }) => msg === "stopped") as
    { taken: number; answered: number; abandoned: number } | undefined;
  const defects = server.lines().filter(({ level }) => level === "error" || level === "fatal");
  if (code !== 0) wrong.push(`the server ended with ${code}`);
  if (!tally) wrong.push("the server did not say what became of its requests");
  // A client that hangs in the middle of its body, or that gave up, has no answer; everybody else has.
  else if (tally.abandoned > givenUp + 60) wrong.push(`${tally.abandoned} requests were taken and not answered`);
  for (const each of defects) wrong.push(`in the log: ${JSON.stringify(each).slice(0, 300)}`);
  const rows = [...statuses].sort().map(([status, count]) => `${status}: ${count}`);
  process.stdout.write(
    `${sent} requests: ${rows.join(", ")}; ${givenUp} clients gave up; ${unanswered} came after the stop\n` +
      `server: ${JSON.stringify(tally)}\n` +
      `memory, MiB: first ${memory[0]!.toFixed(0)}, median ${percentile(
        memory.toSorted((a, b) => a - b),
        0.5,
      ).toFixed(0)}, last ${memory.at(-1)!.toFixed(0)}\n`,
  );
  for (const each of wrong.slice(0, 20)) process.stdout.write(`wrong: ${each}\n`);
  process.stdout.write(wrong.length === 0 ? "all answered\n" : `${wrong.length} wrong\n`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
}
