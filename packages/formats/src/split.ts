import { articleKey, type SquadFile } from "@bertqa/squad";

type Article = SquadFile["data"][number];

/**
 * Takes a share of the questions out as a dev file: whole documents, or whole passages where there are fewer than
 * `fewestDocuments` of them, in a seeded order, until the share is reached. Passages of one text stay together: documents that
 * share one count as one.
 *
 * @param share of the questions, above 0 and below 1
 * @param shuffled a seeded order of what it is given
 */
export function splitByDocument(
  articles: readonly Article[],
  share: number,
  shuffled: <T>(items: readonly T[]) => T[],
): { train: Article[]; dev: Article[]; unit: "document" | "passage" } {
  const documents = joinedDocuments(articles);
  const unit = new Set(documents).size >= fewestDocuments ? "document" : "passage";
  const keyOf = (articleIndex: number, context: string) =>
    unit === "document" ? (documents[articleIndex] as string) : context;
  const sizes = new Map<string, number>();
  articles.forEach(({ paragraphs }, articleIndex) => {
    for (const { context, qas } of paragraphs) {
      const key = keyOf(articleIndex, context);
      sizes.set(key, (sizes.get(key) ?? 0) + qas.length);
    }
  });
  const taken = takeShare(shuffled([...sizes]), share);
  const part = (isDev: boolean) =>
    articles.flatMap(({ paragraphs, ...article }, articleIndex) => {
      const kept = paragraphs.filter(({ context }) => taken.has(keyOf(articleIndex, context)) === isDev);
      return kept.length > 0 ? [{ ...article, paragraphs: kept }] : [];
    });
  return { train: part(false), dev: part(true), unit };
}

const fewestDocuments = 10;

/** The key of each article's document; those that share a passage, also by way of others, have one key. */
function joinedDocuments(articles: readonly Article[]): string[] {
  const joined = new Map<string, string>();
  const keyOf = (key: string): string => {
    let own = key;
    for (let next = joined.get(own); next !== undefined; next = joined.get(own)) {
      joined.set(own, joined.get(next) ?? next); // a way of half the length for the next look
      own = next;
    }
    return own;
  };
  const keys = articles.map(({ title }, articleIndex) => articleKey({ article: title ?? "", articleIndex }));
  const seenIn = new Map<string, string>();
  articles.forEach(({ paragraphs }, articleIndex) => {
    for (const { context } of paragraphs) {
      const own = keyOf(keys[articleIndex] as string);
      const other = keyOf(seenIn.get(context) ?? own);
      seenIn.set(context, other);
      if (other !== own) joined.set(own, other);
    }
  });
  return keys.map(keyOf);
}

/** Takes each unit that brings the number of questions nearer to the share, and never all; where none does, the smallest. */
function takeShare(sizes: readonly (readonly [string, number])[], share: number): Set<string> {
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  const target = total * share;
  const taken = new Set<string>();
  let held = 0;
  for (const [key, size] of sizes) {
    if (taken.size === sizes.length - 1) break;
    if (Math.abs(held + size - target) >= Math.abs(held - target)) continue;
    taken.add(key);
    held += size;
  }
  if (taken.size > 0 || sizes.length < 2) return taken;
  return new Set([sizes.reduce((least, unit) => (unit[1] < least[1] ? unit : least))[0]]);
}
