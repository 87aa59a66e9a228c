// What the page and its worker say to each other. A call has an answer; frames come unasked while a solve runs.
// Arrays are transferred, never cloned: see `transfer` at either end.

import type { Backend, DeviceInfo, Energy, LinearSolver, Precision } from "isograd";

/** Where a mesh comes from. */
export type Source =
  { kind: "icosphere"; level: number } | { kind: "file"; name: string; bytes: Uint8Array<ArrayBuffer> };

/** How the start differs from the shape; `stated` is the start that the energy itself states. */
export type Deformation = "stated" | "waves" | "noise" | "none";

/** A point to start from. */
export interface Start {
  deformation: Deformation;
  /** Of `waves` in radii, of `noise` in mean edge lengths. */
  strength: number;
}

/** A stated problem, ready to be solved and drawn. Positions are x y z by vertex, in mean edge lengths of the shape. */
export interface Stated {
  vertices: number;
  faces: number;
  residuals: number;
  parameters: number;
  cost: number;
  shape: Float32Array<ArrayBuffer>;
  start: Float32Array<ArrayBuffer>;
  triangles: Uint32Array<ArrayBuffer>;
}

/** One iteration, number 0 being the start. */
export interface Iteration {
  iteration: number;
  cost: number;
  gradientMaxNorm: number;
  stepNorm: number;
  trustRegionRadius: number;
  linearIterations: number;
  accepted: boolean;
  /** Seconds of solving, without those in which the page held the solver. */
  seconds: number;
  /** Where in a run of many solves it is. */
  stage?: string;
}

/** An iteration; with positions where a buffer for them was free, that is, where the page keeps up. */
export interface Frame {
  iteration: Iteration;
  positions?: Float32Array<ArrayBuffer>;
}

/** What solves a problem. */
export interface SolverChoice {
  backend: Backend;
  precision: Precision;
  linearSolver: LinearSolver;
}

export interface SolveRequest extends SolverChoice {
  /** Least milliseconds between two iterations, so that one can watch. */
  interval: number;
}

/** What a solve ended with. */
export interface Solved {
  termination: string;
  message: string;
  finalCost: number;
  seconds: number;
  /** Where it ran, in words. */
  backend: string;
  positions: Float32Array<ArrayBuffer>;
}

/** One solve of the benchmark, the best of several. */
export interface Measured {
  residuals: number;
  secondsPerStep: number;
  seconds: number;
  iterations: number;
  finalCost: number;
  /** Where it ran in fact. */
  ranOn: "cpu" | "gpu";
  /** The same and why, in words. */
  backend: string;
}

export interface MeasureRequest extends SolverChoice {
  level: number;
  energy: Energy;
  repeats: number;
}

/** A GPU, or why there is none. */
export type Device = { found: true; info: DeviceInfo } | { found: false; reason: MissingGpu; message: string };

/** No secure context, a browser without WebGPU, or a browser that has it and gives no adapter. */
export type MissingGpu = "insecure" | "unsupported" | "no-adapter";

/** The calls: what goes in, what comes out. */
export interface Calls {
  device: { in: null; out: Device };
  /** With a source, another mesh, else that of before. What fails leaves all as it was. */
  state: { in: { source?: Source; energy: Energy; start: Start }; out: Stated };
  solve: { in: SolveRequest; out: Solved };
  pace: { in: number; out: null };
  pause: { in: null; out: null };
  resume: { in: null; out: null };
  stop: { in: null; out: null };
  measure: { in: MeasureRequest; out: Measured };
  stopMeasuring: { in: null; out: null };
}

export type CallName = keyof Calls;

/** From page to worker. */
export type ToWorker =
  | { [K in CallName]: { type: "call"; id: number; name: K; value: Calls[K]["in"] } }[CallName]
  | { type: "recycle"; buffer: Float32Array<ArrayBuffer> };

/** An error that crossed the boundary; `code` is the package's. */
export interface Failure {
  message: string;
  code?: string;
}

/** From worker to page. */
export type ToPage =
  | { type: "answer"; id: number; value: Calls[CallName]["out"] }
  | { type: "failure"; id: number; failure: Failure }
  | { type: "frame"; frame: Frame };
