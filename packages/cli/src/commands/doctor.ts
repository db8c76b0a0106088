import { diagnose, type Finding } from "@bertqa/engine";

/** Looks at what bertqa needs on this machine, and prints what to do where something is missing: then the exit code is 1. */
export async function doctor({ json }: { readonly json?: boolean }): Promise<void> {
  const findings = await diagnose();
  const isWell = findings.every((finding) => finding.status !== "missing");
  process.stdout.write(json ? `${JSON.stringify({ isWell, findings }, null, 2)}\n` : formatFindings(findings));
  process.exitCode = isWell ? 0 : 1;
}

/** The findings as text: a row each, and below a row that is not well what to do. */
export function formatFindings(findings: readonly Finding[]): string {
  const nameWidth = Math.max(...findings.map((finding) => finding.name.length));
  const statusWidth = "missing".length;
  const rows = findings.flatMap(({ name, status, found, remedy }) => {
    const row = `${name.padEnd(nameWidth)}  ${status.padEnd(statusWidth)}  ${found}`;
    return remedy === "" ? [row] : [row, `${" ".repeat(nameWidth + statusWidth + 4)}→ ${remedy}`];
  });
  const missing = findings.filter((finding) => finding.status === "missing").length;
  return [...rows, "", missing === 0 ? "All is well." : `${missing} missing.`, ""].join("\n");
}
