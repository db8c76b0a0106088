import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomOf } from "./scale.ts";
import type { Tally } from "./tally.ts";

/**
 * Flips one bit of a file: in the first byte, the one in the middle, the last and a drawn one, in turn.
 *
 * @param look is given the damaged file, which is whole again afterwards, and says whether the damage was taken for whole
 */
export async function flipEach(
  folder: string,
  name: string,
  tally: Tally,
  look: (what: string) => Promise<boolean>,
): Promise<void> {
  const path = join(folder, name);
  const whole = readFileSync(path);
  const drawn = randomOf("flip", name).integerBelow(Math.max(whole.length, 1));
  for (const at of whole.length === 0 ? [] : new Set([0, whole.length >> 1, whole.length - 1, drawn])) {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 1 << randomOf("bit", name, at).integerBelow(8);
    writeFileSync(path, bytes);
    const what = `a bit of byte ${at} of ${name}`;
    if (await look(what)) tally.find("accepted", what);
    writeFileSync(path, whole);
    tally.count("flips");
  }
}
