import util from "node:util";

/**
 * The checks that tfjs-node 4.22 takes from `node:util`: Node 22 warns that they are deprecated, Node 23 removed them.
 */
const checks = {
  isNullOrUndefined: (value: unknown): value is null | undefined => value === null || value === undefined,
  isArray: (value: unknown): value is unknown[] => Array.isArray(value),
};

/** Puts plain functions in the place of Node's deprecated or removed ones, which they equal. */
export function polyfillUtil(target: object = util): void {
  for (const [name, value] of Object.entries(checks)) {
    Object.defineProperty(target, name, { value, configurable: true, enumerable: true, writable: true });
  }
}
