// A preload (`node --import`) that records what a process takes from outside, seen from inside Node: files and folders that it
// opens or looks for, programs that it starts, and environment variables that it reads by name. At its end it writes one JSON file
// into the folder BERTQA_TRACE. What native code opens by itself is not seen.
import childProcess from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { threadId } from "node:worker_threads";

const { env } = process;
const folder = env.BERTQA_TRACE;
const { writeFileSync } = fs;
const files = new Set();
const variables = new Set();
const programs = new Set();

/** Puts a function in another's place that is like it in everything but what it does first. */
function wrap(owner, name, around) {
  const original = owner[name];
  if (typeof original !== "function") return;
  const wrapped = function (...given) {
    return around(given, () => original.apply(this, given));
  };
  const properties = Object.getOwnPropertyDescriptors(original);
  const promised = original[promisify.custom];
  if (promised) properties[promisify.custom].value = (...given) => around(given, () => promised(...given));
  Object.defineProperties(wrapped, properties);
  owner[name] = wrapped;
}

function noteFile([path], run) {
  if (path instanceof URL) files.add(fileURLToPath(path));
  else if (typeof path === "string" || Buffer.isBuffer(path)) files.add(resolve(String(path)));
  return run();
}

const readers = [
  "open",
  "readFile",
  "readdir",
  "opendir",
  "readlink",
  "realpath",
  "stat",
  "lstat",
  "access",
  "copyFile",
  "cp",
];
for (const name of readers) {
  for (const [owner, given] of [
    [fs, name],
    [fs, `${name}Sync`],
    [fs.promises, name],
  ])
    wrap(owner, given, noteFile);
}
for (const name of ["exists", "existsSync", "createReadStream", "openAsBlob"]) wrap(fs, name, noteFile);

// A child gets a copy of all variables, which is no use of any.
let isStarting = false;
for (const name of ["spawn", "spawnSync", "execFile", "execFileSync", "exec", "execSync", "fork"]) {
  wrap(childProcess, name, ([program], run) => {
    programs.add(String(program));
    const before = isStarting;
    isStarting = true;
    try {
      return run();
    } finally {
      isStarting = before;
    }
  });
}
syncBuiltinESMExports();

let described;
process.env = new Proxy(env, {
  get(target, name) {
    // `{ ...process.env }` asks for each descriptor before the value.
    if (typeof name === "string" && name !== described && !isStarting) variables.add(name);
    described = undefined;
    return target[name];
  },
  // process.env takes whole descriptors alone, so a value must not come by way of the proxy.
  set(target, name, value) {
    target[name] = value;
    return true;
  },
  has(target, name) {
    if (typeof name === "string") variables.add(name);
    return name in target;
  },
  getOwnPropertyDescriptor(target, name) {
    described = name;
    return Object.getOwnPropertyDescriptor(target, name);
  },
});

process.on("exit", () => {
  const sorted = (names) => [...names].sort();
  const found = { argv: process.argv, files: sorted(files), programs: sorted(programs), variables: sorted(variables) };
  writeFileSync(join(folder, `${process.pid}-${threadId}.json`), JSON.stringify(found));
});
