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
  // What a graphics processor takes.
  ...(process.env.CHROMIUM_FLAGS ?? "").split(" ").filter(Boolean),
];
/** Gives the software adapter of WebGPU, which is not there without it. */
const WITH = "--enable-unsafe-webgpu";
const WITHOUT = "--disable-features=WebGPU,WebGPUService";

/** The browser of CHROMIUM, or the system's. */
export const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Starts a browser; its profile is made for it and thrown away after it. */
export function launch({ webgpu }) {
  // As root, as in most containers, Chromium refuses to run with its sandbox.
  return chromium.launch({
    executablePath,
    chromiumSandbox: false,
    args: [...FLAGS, webgpu ? WITH : WITHOUT],
    timeout: 60_000,
  });
}
