// A Chromium without a window, with WebGPU in software or without any.

import { chromium } from "playwright-core";

const FLAGS = [
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // WebGL in software; without it there is no picture where there is no graphics device.
  "--enable-unsafe-swiftshader",
];
/** Gives the software adapter of WebGPU; without it there is none. */
const WEBGPU = "--enable-unsafe-webgpu";

/** The browser of CHROMIUM, or the system's. */
export const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Starts a browser; its profile is made for it and thrown away after it. */
export function launch({ webgpu }) {
  // As root, as in most containers, Chromium refuses to run with its sandbox.
  return chromium.launch({
    executablePath,
    chromiumSandbox: false,
    args: webgpu ? [...FLAGS, WEBGPU] : FLAGS,
    timeout: 60_000,
  });
}
