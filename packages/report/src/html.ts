const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Markup that may stand in a page as it is. Made only by {@link html} and {@link trustedHtml}. */
export class SafeHtml {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

type HtmlValue = SafeHtml | string | number | null | readonly HtmlValue[];

/** A template whose values are escaped, save those that are markup already; null is nothing, lists are joined. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): SafeHtml {
  return new SafeHtml(
    parts.map((part, index) => part + (index < values.length ? markupOf(values[index] ?? null) : "")).join(""),
  );
}

/** For markup that holds no data: own scripts and styles, drawn SVG, escaped JSON. */
export function trustedHtml(markup: string): SafeHtml {
  return new SafeHtml(markup);
}

/** JSON that cannot end a script element or open a comment in it, whatever the strings hold. */
export function jsonForScript(value: unknown): SafeHtml {
  return new SafeHtml(JSON.stringify(value).replaceAll("<", "\\u003c"));
}

function markupOf(value: HtmlValue): string {
  if (value === null) return "";
  if (value instanceof SafeHtml) return value.markup;
  if (Array.isArray(value)) return value.map(markupOf).join("");
  return String(value).replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
