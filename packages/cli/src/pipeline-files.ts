import { BertqaError } from "@bertqa/core";
import { existsSync } from "node:fs";

const lineWidth = 120;

/** JSON as prettier writes it, so that a generated file can be committed: two spaces, lists of plain values on one line where they fit. */
export function jsonFile(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  const lists = text.replaceAll(
    /^( *)(.*)\[\n([^[\]{}]*?)\n *\](,?)$/gm,
    (whole, indent: string, head: string, items: string, comma: string) => {
      const line = `${indent}${head}[${items
        .split("\n")
        .map((item) => item.trim())
        .join(" ")}]${comma}`;
      return line.length <= lineWidth ? line : whole;
    },
  );
  return `${lists}\n`;
}

/** @throws BertqaError if a pipeline cannot have this name, or its folder is there already */
export function refuseTaken(name: string, folder: string): void {
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name)) {
    throw new BertqaError("new", `got the name ${JSON.stringify(name)}, expected small letters, digits, . _ or -`);
  }
  if (existsSync(folder)) throw new BertqaError("new", `${folder} is already there`, { remedy: "Choose another name" });
}
