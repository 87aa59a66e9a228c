// The one problem on show, in the worker: a mesh, its energy, the start, and the solve that runs.

import { type Energy, Mesh, type MeshProblem, type Progress, type Report } from "isograd";
import { deform } from "./deformation.ts";
import { device } from "./device.ts";
import { Gate } from "./gate.ts";
import type { Frame, Iteration, Solved, SolveRequest, Source, Start, Stated } from "./messages.ts";

/** Buffers for positions that are under way at most: one on show, one before it, one to be shown, one being filled. */
const BUFFERS = 4;

export class Live {
  readonly gate = new Gate();
  #mesh: Mesh | undefined;
  #problem: MeshProblem | undefined;
  #start: Float64Array = new Float64Array();
  #free: Float32Array<ArrayBuffer>[] = [];
  #stopped = false;
  #running: Promise<unknown> | undefined;

  constructor(readonly show: (frame: Frame, transfer: Transferable[]) => void) {}

  /** Takes another mesh; where it cannot be read, the one before stays. */
  async load(source: Source) {
    const mesh = source.kind === "icosphere" ? Mesh.icosphere(source.level) : Mesh.parse(source.bytes, source.name);
    await this.stop();
    this.#mesh?.free();
    this.#mesh = mesh;
    return { vertices: mesh.vertices, faces: mesh.faces };
  }

  /** States the energy of the mesh and puts it at the start. */
  async state(energy: Energy, start: Start): Promise<Stated> {
    if (!this.#mesh) throw new Error("there is no mesh yet");
    const problem = this.#mesh.problem(energy);
    await this.stop();
    this.#problem?.free();
    this.#problem = problem;
    const shape = problem.shape();
    this.#start = start.deformation === "stated" ? problem.positions() : deform(shape, start);
    problem.setPositions(this.#start);
    this.#free = Array.from({ length: BUFFERS }, () => new Float32Array(shape.length));
    return {
      vertices: shape.length / 3,
      faces: this.#mesh.faces,
      residuals: problem.residuals,
      parameters: problem.parameters,
      cost: problem.cost(),
      shape: Float32Array.from(shape),
      start: Float32Array.from(this.#start),
      triangles: problem.triangles() as Uint32Array<ArrayBuffer>,
    };
  }

  /** Takes a buffer back that the page has no more use for. */
  recycle(buffer: Float32Array<ArrayBuffer>) {
    if (buffer.length === this.#start.length && this.#free.length < BUFFERS) this.#free.push(buffer);
  }

  /** Minimises from the start. Resolves when it ends, however it does. */
  async solve({ backend, precision, interval }: SolveRequest): Promise<Solved> {
    const problem = this.#problem;
    if (!problem) throw new Error("there is no problem yet");
    await this.stop();
    const gpu = backend === "cpu" ? undefined : (await device()).gpu;
    problem.setPositions(this.#start);
    this.#stopped = false;
    this.gate.open(interval);
    const solve = problem.solve({ backend, precision, ...(gpu && { gpu }), onProgress: (progress) => this.#hear(progress) });
    this.#running = solve.catch(() => undefined);
    try {
      const report = await solve;
      return solved(report, problem.positions(), this.gate.held / 1000);
    } finally {
      this.#running = undefined;
    }
  }

  /** Stops the solve that runs, if one does, and waits until it has. */
  async stop() {
    this.#stopped = true;
    this.gate.interval = 0;
    this.gate.resume();
    await this.#running;
  }

  #hear(progress: Progress): boolean | Promise<boolean> {
    if (this.#stopped) return false;
    this.#send(this.#iteration(progress), progress.parameters);
    if (!this.gate.closed) return true;
    return this.gate.pass().then(() => !this.#stopped);
  }

  /** Without a free buffer the page lags behind: it gets the numbers, and the positions of a later iteration. */
  #send(iteration: Iteration, parameters: Float64Array) {
    const positions = this.#free.pop();
    if (!positions) return this.show({ iteration }, []);
    positions.set(parameters.subarray(0, positions.length));
    this.show({ iteration, positions }, [positions.buffer]);
  }

  #iteration(progress: Progress): Iteration {
    const { iteration, cost, gradientMaxNorm, stepNorm, trustRegionRadius, linearIterations, accepted } = progress;
    const seconds = Math.max(0, progress.elapsedSeconds - this.gate.held / 1000);
    return { iteration, cost, gradientMaxNorm, stepNorm, trustRegionRadius, linearIterations, accepted, seconds };
  }
}

/** The end of a solve. It brings the last positions, which may have found no free buffer on the way. */
function solved(report: Report, positions: Float64Array, held: number): Solved {
  const { termination, message, finalCost, iterations } = report;
  const seconds = Math.max(0, (iterations.at(-1)?.elapsedSeconds ?? 0) - held);
  return {
    termination,
    message,
    finalCost,
    seconds,
    backend: placement(report),
    positions: Float32Array.from(positions),
  };
}

/** Where a solve ran and why, in words. */
export function placement({ backend, precision, notes }: Report): string {
  const where = backend.backend === "cpu" ? "CPU" : `GPU, ${precision}`;
  return [`${where} (${backend.reason})`, ...notes].join("; ");
}
