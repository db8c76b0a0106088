/** Numbers as pages print them, whether made by Node or by the page's script: fixed decimals, a true minus sign. */

export function decimal(value: number, places: number): string {
  return value
    .toFixed(places)
    .replace(/^-(?=.*[1-9])/, "−")
    .replace(/^-/, "");
}

export function whole(value: number): string {
  return value.toLocaleString("en-US");
}

/** `1 article`, `35 articles`. */
export function counted(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** A probability for people: `82 %`, and never 0 % or 100 % for what is only near it. */
export function percent(share: number): string {
  const percents = Math.round(share * 100);
  if (percents === 0 && share > 0) return "under 1 %";
  if (percents === 100 && share < 1) return "over 99 %";
  return `${percents} %`;
}
