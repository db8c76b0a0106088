import { existsSync } from "node:fs";

/** Where Linux, macOS and Windows keep a Chromium. */
const usualPaths = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/** The Chromium of `BERTQA_CHROMIUM`, or the first of the usual ones that is there. */
export const chromiumPath = process.env["BERTQA_CHROMIUM"] ?? usualPaths.find((path) => existsSync(path));

/** Quiet, without network and without a graphics card. */
export const chromiumArguments = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
