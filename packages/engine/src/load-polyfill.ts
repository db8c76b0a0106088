import util from "node:util";

/** The checks that tfjs-node 4.22 takes from `node:util` and that Node 23 removed. */
const removedChecks = {
  isNullOrUndefined: (value: unknown): value is null | undefined => value === null || value === undefined,
  isArray: (value: unknown): value is unknown[] => Array.isArray(value),
};

/** Puts back what newer versions of Node took out of `node:util`; what is still there is left alone. */
export function polyfillUtil(target: object = util): void {
  for (const [name, check] of Object.entries(removedChecks)) {
    if (!(name in target)) Object.defineProperty(target, name, { value: check, configurable: true, writable: true });
  }
}
