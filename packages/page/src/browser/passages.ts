/** A text to ask about. */
export interface Passage {
  readonly title: string;
  readonly text: string;
  /** Questions to try; none for a reader's own text. */
  readonly questions: readonly string[];
}

/** Larger files are no reading matter, in bytes. */
const maxFileBytes = 4_000_000;
const textFile = /\.(txt|text|md|markdown)$/i;

/**
 * Reads a file that a person chose or dropped.
 *
 * @returns the passage, or a line that says why there is none
 */
export async function readPassageFile(file: File): Promise<Passage | string> {
  if (!textFile.test(file.name) && !file.type.startsWith("text/")) {
    return `${file.name} is no text or Markdown file.`;
  }
  if (file.size > maxFileBytes) {
    return `${file.name} has ${Math.ceil(file.size / 1e6)} MB, more than ${maxFileBytes / 1e6} MB.`;
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    return text.trim() === "" ? `${file.name} is empty.` : ownPassage(file.name, text);
  } catch {
    return `${file.name} is not in UTF-8. Save it as UTF-8 text.`;
  }
}

export function ownPassage(title: string, text: string): Passage {
  return { title, text: text.replace(/\r\n?/g, "\n"), questions: [] };
}
