/** Numbers as the report prints them, on the server's side and in the page: fixed decimals, a true minus sign. */

export function decimal(value: number, places: number): string {
  return value
    .toFixed(places)
    .replace(/^-(?=.*[1-9])/, "−")
    .replace(/^-/, "");
}

export function whole(value: number): string {
  return value.toLocaleString("en-US");
}
