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
