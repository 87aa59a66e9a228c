// The one problem on show, in the worker: a mesh, its energy, the start, and the solve that runs.

import { type Energy, Mesh, type MeshProblem, type Progress, type Report } from "isograd";
import { deform } from "./deformation.ts";
import { device } from "./device.ts";
import { Gate } from "./gate.ts";
import type { Frame, Iteration, Solved, SolveRequest, Source, Start, Stated } from "./messages.ts";
import { shapeOf } from "./shape.ts";

/** Buffers for positions that are under way at most: one on show, one before it, one to be shown, one being filled. */
const BUFFERS = 4;

export class Live {
  readonly gate = new Gate();
  #mesh: Mesh | undefined;
  #problem: MeshProblem | undefined;
  #start: Float64Array = new Float64Array();
  #free: Float32Array<ArrayBuffer>[] = [];
  /** Whether the problem has a start of its own, and takes no other. */
  #fixed = false;
  #stopped = false;
  #began = 0;
  #running: Promise<unknown> | undefined;

  constructor(readonly show: (frame: Frame, transfer: Transferable[]) => void) {}

  /** States the energy of the mesh, or of another one, and puts it at the start. What fails leaves all as it was. */
  async state(energy: Energy, start: Start, source?: Source): Promise<Stated> {
    const mesh = source ? meshOf(source) : this.#mesh;
    if (!mesh) throw new Error("there is no mesh yet");
    const problem = stated(mesh, energy, mesh !== this.#mesh);
    await this.stop();
    if (mesh !== this.#mesh) this.#mesh?.free();
    this.#problem?.free();
    this.#mesh = mesh;
    this.#problem = problem;
    this.#start = problem.positions();
    // The developable energy starts from the mesh as it is, and from no other point.
    this.#fixed = energy === "developable";
    const shape = this.#fixed ? this.#start : referenceShape(mesh);
    if (start.deformation !== "stated" && !this.#fixed) {
      this.#start = deform(shape, start);
      problem.setPositions(this.#start);
    }
    this.#free = Array.from({ length: BUFFERS }, () => new Float32Array(shape.length));
    return {
      vertices: shape.length / 3,
      faces: mesh.faces,
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
  async solve({ backend, precision, linearSolver, interval }: SolveRequest): Promise<Solved> {
    const problem = this.#problem;
    if (!problem) throw new Error("there is no problem yet");
    await this.stop();
    const gpu = backend === "cpu" ? undefined : (await device()).gpu;
    if (!this.#fixed) problem.setPositions(this.#start);
    this.#stopped = false;
    this.#began = performance.now();
    this.gate.open(interval);
    const solve = problem.solve({
      backend,
      precision,
      linearSolver,
      ...(gpu && { gpu }),
      onProgress: (progress) => this.#hear(progress),
    });
    this.#running = solve.catch(() => undefined);
    try {
      const report = await solve;
      return solved(report, problem.positions(), this.seconds);
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

  /** Seconds of the solve that runs, or of the last, without those in which it was held. */
  get seconds(): number {
    return Math.max(0, performance.now() - this.#began - this.gate.held) / 1000;
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
    const { seconds } = this;
    const stage = progress.stage && {
      stage: `level ${progress.stage.level + 1} of ${progress.stage.levels}, round ${progress.stage.round + 1}`,
    };
    return {
      iteration,
      cost,
      gradientMaxNorm,
      stepNorm,
      trustRegionRadius,
      linearIterations,
      accepted,
      seconds,
      ...stage,
    };
  }
}

function meshOf(source: Source): Mesh {
  return source.kind === "icosphere" ? Mesh.icosphere(source.level) : Mesh.parse(source.bytes, source.name);
}

/** The shape that energies compare with. */
function referenceShape(mesh: Mesh): Float64Array {
  const triangles = mesh.triangles();
  if (3 * mesh.faces === triangles.length) return shapeOf(mesh.positions(), triangles);
  // The edges of polygons cannot be told from the diagonals that cut them into triangles, and their mean length is the unit.
  // This energy starts at the shape.
  const problem = mesh.problem("arap");
  const shape = problem.positions();
  problem.free();
  return shape;
}

/** The energy of a mesh; one that has none is not kept, if it is new. */
function stated(mesh: Mesh, energy: Energy, isNew: boolean): MeshProblem {
  try {
    return mesh.problem(energy);
  } catch (error) {
    if (isNew) mesh.free();
    throw error;
  }
}

/** The end of a solve. It brings the last positions, which may have found no free buffer on the way. */
function solved(report: Report, positions: Float64Array, seconds: number): Solved {
  const { termination, finalCost, developable } = report;
  const message = developable
    ? `Energy ${developable.energyBefore.toPrecision(4)} → ${developable.energyAfter.toPrecision(4)}, ${(100 * developable.share).toFixed(1)} % of the vertices are developable`
    : report.message;
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
export function placement({ backend, precision, linearSolver, notes }: Report): string {
  const where = backend.backend === "cpu" ? "CPU" : `GPU in ${precision}`;
  return [`${where} (${backend.reason})`, linearSolver, ...notes].join("; ");
}
