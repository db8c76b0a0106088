import { formatDuration, printable, type Progress, type Reporter } from "@bertqa/core";
import cliProgress from "cli-progress";

const stageColumnWidth = 10;
const pipedRowEveryMs = 10_000;

/** A reporter that writes to stderr. */
export function createReporter(stage: string, stream: NodeJS.WriteStream = process.stderr): Reporter {
  const prefix = stage.padEnd(stageColumnWidth);
  const line = (text: string) => void stream.write(`${prefix}${printable(text)}\n`);
  return {
    line,
    progress: (total, unit, doneBefore = 0) =>
      stream.isTTY ? terminalBar(prefix, total, unit, doneBefore, stream) : pipedRows(line, total, unit, doneBefore),
  };
}

function terminalBar(
  prefix: string,
  total: number,
  unit: string,
  doneBefore: number,
  stream: NodeJS.WriteStream,
): Progress {
  const format = `${prefix}{bar} {value}/{total} ${unit} · {rate}/s · {eta_formatted} left{note}`;
  const bar = new cliProgress.SingleBar(
    { format, stream, hideCursor: true, barsize: 24, etaBuffer: 50 },
    cliProgress.Presets.shades_classic,
  );
  const startedMs = Date.now();
  bar.start(total, doneBefore, { rate: "–", note: "" });
  return {
    update: (done, note) =>
      bar.update(done, { rate: rateOf(done - doneBefore, startedMs), note: note ? ` · ${note}` : "" }),
    stop: () => bar.stop(),
  };
}

function pipedRows(line: (text: string) => void, total: number, unit: string, doneBefore: number): Progress {
  const startedMs = Date.now();
  let lastRowMs = startedMs;
  return {
    update: (done, note) => {
      const now = Date.now();
      if (now - lastRowMs < pipedRowEveryMs) return;
      lastRowMs = now;
      const leftMs = ((now - startedMs) / Math.max(done - doneBefore, 1)) * (total - done);
      const parts = [
        `${done}/${total} ${unit}`,
        `${rateOf(done - doneBefore, startedMs)}/s`,
        `${formatDuration(leftMs)} left`,
      ];
      line([...parts, ...(note ? [note] : [])].join(" · "));
    },
    stop: () => {},
  };
}

function rateOf(done: number, startedMs: number): string {
  const perSecond = done / Math.max((Date.now() - startedMs) / 1000, 1e-3);
  return perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toPrecision(3);
}
