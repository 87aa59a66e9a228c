// Solves of the benchmark, in the worker.

import { Mesh, type Report } from "isograd";
import { device } from "./device.ts";
import { placement } from "./live.ts";
import type { Measured, MeasureRequest } from "./messages.ts";

/** Iterations of the benchmark; the energies of icospheres are at their minimum after some ten. */
const MAX_ITERATIONS = 50;

export class Timing {
  #abort: AbortController | undefined;

  /** Solves an icosphere's energy `repeats` times from the same start. The least times count: what others do on the machine only adds. */
  async measure({ level, energy, backend, precision, linearSolver, repeats }: MeasureRequest): Promise<Measured> {
    const abort = new AbortController();
    this.#abort = abort;
    const gpu = backend === "cpu" ? undefined : (await device()).gpu;
    const mesh = Mesh.icosphere(level);
    const problem = mesh.problem(energy);
    mesh.free();
    try {
      const start = problem.positions();
      let best: Measured | undefined;
      for (let repeat = 0; repeat < repeats; repeat++) {
        problem.setPositions(start);
        const options = {
          backend,
          precision,
          linearSolver,
          ...(gpu && { gpu }),
          maxIterations: MAX_ITERATIONS,
          signal: abort.signal,
        };
        const report = await problem.solve(options);
        if (report.termination === "cancelled") throw Object.assign(new Error("stopped"), { code: "stopped" });
        const measured = times(report, problem.residuals);
        const { seconds, secondsPerStep } = best ?? measured;
        best = {
          ...measured,
          seconds: Math.min(seconds, measured.seconds),
          secondsPerStep: Math.min(secondsPerStep, measured.secondsPerStep),
        };
      }
      if (!best) throw new Error("a benchmark needs one repeat or more");
      return best;
    } finally {
      problem.free();
    }
  }

  stop() {
    this.#abort?.abort();
  }
}

/** What the report says of time. A step's is that from the start's record to the last, so that building the problem is not in it. */
function times(report: Report, residuals: number): Measured {
  const first = report.iterations[0];
  const last = report.iterations.at(-1);
  if (!first || !last) throw new Error("the report has no iterations");
  const iterations = Math.max(1, report.iterations.length - 1);
  return {
    residuals,
    secondsPerStep: (last.elapsedSeconds - first.elapsedSeconds) / iterations,
    seconds: last.elapsedSeconds,
    iterations,
    finalCost: report.finalCost,
    ranOn: report.backend.backend,
    backend: placement(report),
  };
}
