/** Where a solve runs: `auto` chooses by size and by what the browser has. */
export type Backend = "cpu" | "gpu" | "auto";

/** Number format of a GPU's kernels: single precision, or pairs of it with some 14 digits. `f64` is what the CPU computes in; WebGPU has none. */
export type Precision = "auto" | "f64" | "f32" | "double-f32";

/** A built-in energy of meshes. */
export type Energy = "smooth" | "stretch" | "sphere" | "arap" | "developable";

/** How the normal equations are solved. */
export type LinearSolver = "auto" | "dense-qr" | "dense-cholesky" | "sparse-cholesky" | "pcg" | "dense-schur" | "sparse-schur" | "iterative-schur";

/** What a device is and offers. */
export interface DeviceInfo {
  name: string;
  vendor: string;
  architecture: string;
  description: string;
  /** `discrete`, `integrated`, `virtual`, `software` or `unknown`. */
  kind: string;
  driver: string;
  features: string[];
  limits: Record<string, number>;
  precisions: Precision[];
}

/** An iteration; number 0 is the start. */
export interface IterationRecord {
  iteration: number;
  /** ½ Σ ρ(‖r‖²) after it, at the accepted point. */
  cost: number;
  /** By how much the point that was tried lowers the cost; NaN where it could not be evaluated. */
  costChange: number;
  /** Largest component of the gradient at the accepted point. */
  gradientMaxNorm: number;
  /** Length of the step that was tried. */
  stepNorm: number;
  /** Actual over predicted decrease of the cost. */
  gainRatio: number;
  trustRegionRadius: number;
  /** Iterations of the linear solver; 1 for a direct one. */
  linearIterations: number;
  /** Whether the step was taken. */
  accepted: boolean;
  elapsedSeconds: number;
}

/** An iteration as it happens. */
export interface Progress extends IterationRecord {
  /** The accepted point: a view into the module's memory, valid until the callback returns or awaits. Those of a mesh begin with its vertices. */
  parameters: Float64Array;
  /** Where in a run of many solves it is, for `developable`. */
  stage?: { level: number; levels: number; round: number; exponent: number };
}

export interface SolveOptions {
  /** Default: `auto`. */
  backend?: Backend;
  /** Number format on a GPU. Default: `auto`, the best it has. */
  precision?: Precision;
  /** The device to use. Default: one that all solves share. */
  gpu?: Gpu;
  /** Default: 100. */
  maxIterations?: number;
  /** Default: none. */
  maxTimeSeconds?: number;
  /** Stop when an accepted step changes the cost by less than this, relative. Default: 1e-6. */
  functionTolerance?: number;
  /** Stop when the largest component of the gradient is below this. Default: 1e-10. */
  gradientTolerance?: number;
  /** Stop when an accepted step is shorter than this times the length of the parameters. Default: 1e-8. */
  parameterTolerance?: number;
  /** Default: `auto`. */
  linearSolver?: LinearSolver;
  /** Most iterations of an iterative linear solver. Default: 500. */
  maxLinearIterations?: number;
  /** Scalar residuals below which `auto` stays on the CPU. Default: 6000. */
  fallbackThreshold?: number;
  /** Called after each iteration and awaited; `false` stops the solve. What it throws, the solve rejects with. */
  onProgress?: (progress: Progress) => boolean | void | Promise<boolean | void>;
  /** Stops the solve after the present iteration; it resolves, with termination `cancelled`. */
  signal?: AbortSignal;
}

/** Why a solve stopped. */
export type Termination = "function-tolerance" | "gradient-tolerance" | "parameter-tolerance" | "precision-limit" | "max-iterations"
  | "time-limit" | "cancelled" | "trust-region-collapsed" | "invalid-steps";

/** What a solve did. */
export interface Report {
  termination: Termination;
  /** Why it stopped, with numbers. */
  message: string;
  initialCost: number;
  /** Cost at the end, evaluated in double precision. */
  finalCost: number;
  iterations: IterationRecord[];
  /** All, and those that are not wholly fixed. */
  parameterBlocks: [number, number];
  /** All scalars, and those that are free. */
  parameters: [number, number];
  residualBlocks: number;
  residuals: number;
  groups: { name: string | null; instances: number; residuals: number; parameters: number; operations: number; stored: number; topology: string }[];
  compile: Record<string, number>;
  /** Where it ran, and why there. */
  backend: { backend: "cpu" | "gpu"; device: string; reason: string };
  notes: string[];
  precision: Precision;
  threads: number;
  linearSolver: string;
  problemBytes: number;
  normalEquationsBytes: number;
  factorBytes: number;
  /** What a GPU had to do with it. */
  device: null | { kernelsCompiled: number; kernelCacheHits: number; bytesUp: number; bytesDown: number; dispatches: number; memoryBytes: number; stageTimesSeconds: [string, number][] };
  timesSeconds: { trace: number; compile: number; analyse: number; evaluate: number; normalEquations: number; linearSolve: number; total: number; deviceLoop: number };
  /** What a run of many solves came to, for `developable`; the rest is about the last of them, but for the iterations. */
  developable?: { energyBefore: number; energyAfter: number; share: number; hinges: number; solves: number };
  /** All of it as a text to read. */
  text: string;
}

/** Residual blocks of one form, one for each row of a table. */
export interface Template {
  /** The residuals of a row as formulas, such as `"sqrt((p[0]-q[0])^2 + (p[1]-q[1])^2) - length"`. */
  residuals: string | string[];
  /** What a row's blocks are called: `name[0]`, `name[1]` … are components; a block of one component (the default) is also `name`. */
  blocks: { name: string; size?: number }[];
  /** Numbers of blocks, row by row: as many a row as there are `blocks`. */
  indices: Uint32Array;
  /** Numbers of a row and what they are called, row by row. */
  data?: { names: string[]; values: Float64Array };
  /** A robust loss of a width (default 1) in the units of the residual. */
  loss?: { name: "huber" | "soft-l1" | "cauchy" | "arctan" | "tukey" | "geman-mcclure" | "welsch" | "fair"; width?: number };
}

/** What this package throws and rejects with: an `Error` with a code. */
export interface IsogradError extends Error {
  code: "invalid-argument" | "invalid-problem" | "empty-problem" | "template-diverges" | "invalid-formula" | "invalid-option" | "invalid-mesh"
    | "unknown-format" | "unreadable-file" | "not-finite" | "cost-overflow" | "linear-solver" | "memory" | "solve" | "busy" | "no-gpu" | "gpu-lost" | "gpu";
}
