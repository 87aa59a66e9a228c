// Errors as plain data: an Error loses its code on the way between worker and page.

import type { Failure } from "./messages.ts";

/** What was thrown, as data. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { message: String(error) };
  const code: unknown = "code" in error ? error.code : undefined;
  return typeof code === "string" ? { message: error.message, code } : { message: error.message };
}
