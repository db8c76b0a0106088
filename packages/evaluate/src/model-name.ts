import { basename } from "node:path";
import { z } from "zod";

const fetchOptionsSchema = z.object({ encoder: z.object({ sources: z.array(z.string()).min(1) }) });

/** The encoder's name, as people know it, from fetch's options: `all-MiniLM-L6-v2` of `hub:owner/all-MiniLM-L6-v2@revision`. */
export function encoderName(fetchOptions: unknown): string {
  const parsed = fetchOptionsSchema.safeParse(fetchOptions);
  if (!parsed.success) return "BERT";
  const source = parsed.data.encoder.sources[0] as string;
  const packaged = /^(?:hub|pypi):([^@=]+)/.exec(source)?.[1];
  return basename(packaged ?? source) || "BERT";
}
