/** A table for people. @param right columns of numbers, which stand to the right */
export function aligned(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length))) ?? [];
  const placed = (cell: string, column: number) =>
    right.includes(column) ? cell.padStart(widths[column] as number) : cell.padEnd(widths[column] as number);
  return rows.map((row) => row.map(placed).join("  ").trimEnd());
}
