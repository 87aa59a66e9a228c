// The GPU of the worker: found once, shared by all solves.

import { Gpu } from "isograd";
import { failureOf } from "./failure.ts";
import type { Device } from "./messages.ts";

let found: Promise<{ device: Device; gpu?: Gpu }> | undefined;

/** The GPU, or why there is none. */
export function device() {
  found ??= find();
  return found;
}

async function find(): Promise<{ device: Device; gpu?: Gpu }> {
  // Which of the three it is decides what a person can do about it, so it is worth asking before the package does.
  if (!self.isSecureContext) return missing("insecure", "the page has no secure context");
  if (!("gpu" in navigator)) return missing("unsupported", "the browser has no navigator.gpu");
  try {
    const gpu = await Gpu.request();
    return { device: { found: true, info: gpu.info }, gpu };
  } catch (error) {
    return missing("no-adapter", failureOf(error).message);
  }
}

function missing(reason: "insecure" | "unsupported" | "no-adapter", message: string): { device: Device } {
  return { device: { found: false, reason, message } };
}
