// The benchmark: the same problems on CPU and GPU, how long they take, and whether they end alike.

import type { Energy, LinearSolver, Precision } from "isograd";
import { Chart, type Columns } from "./chart.ts";
import { element, make } from "./dom.ts";
import { count, quantity } from "./format.ts";
import type { Measured } from "./messages.ts";
import { type Solver, SolverError } from "./solver.ts";

/** Largest relative difference of costs that counts as agreement: both stop at a relative change of 1e-6. */
const AGREEMENT = 1e-6;
const LEVELS = [1, 2, 3, 4, 5, 6, 7];

interface Row {
  level: number;
  cpu: Measured;
  gpu?: Measured;
  /** Why the GPU has no number. */
  failure?: string;
}

export class Benchmark {
  readonly #solver: Solver;
  readonly #form = element("benchmark-form", HTMLFormElement);
  readonly #energy = element("benchmark-energy", HTMLSelectElement);
  readonly #most = element("benchmark-level", HTMLSelectElement);
  readonly #quantity = element("benchmark-quantity", HTMLSelectElement);
  readonly #linearSolver = element("benchmark-linear-solver", HTMLSelectElement);
  readonly #repeats = element("benchmark-repeats", HTMLSelectElement);
  readonly #button = element("benchmark-start", HTMLButtonElement);
  readonly #status = element("benchmark-status", HTMLElement);
  readonly #body = element("benchmark-table", HTMLTableElement).tBodies[0]!;
  readonly #chart = new Chart(element("scaling", HTMLElement), {
    x: "residuals",
    logarithmic: true,
    series: [
      { name: "CPU", color: "--muted" },
      { name: "GPU", color: "--accent" },
    ],
  });
  #rows: Row[] = [];
  #running = false;
  #stopped = false;

  /** `busy` hears when the worker is wanted for timing alone, and when it is free again. */
  constructor(
    solver: Solver,
    readonly precision: () => Precision,
    readonly hasGpu: () => boolean,
    readonly busy: (busy: boolean) => Promise<void> | void,
  ) {
    this.#solver = solver;
    this.#most.append(
      ...LEVELS.map((level) => make("option", [`${level}`], { value: String(level), selected: level === 5 })),
    );
    this.#quantity.addEventListener("change", () => this.#show());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void (this.#running ? this.#stop() : this.#run());
    });
  }

  paint() {
    this.#chart.paint();
  }

  async #run() {
    this.#running = true;
    this.#stopped = false;
    this.#rows = [];
    this.#button.textContent = "Stop";
    await this.busy(true);
    try {
      for (const level of LEVELS.filter((level) => level <= Number(this.#most.value))) {
        this.#rows.push(await this.#row(level));
        this.#show();
      }
      this.#status.textContent = this.#verdict();
    } catch (error) {
      this.#status.textContent = this.#stopped
        ? "Stopped."
        : `The benchmark failed: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.#running = false;
    this.#button.textContent = "Run";
    await this.busy(false);
  }

  async #stop() {
    this.#stopped = true;
    await this.#solver.call("stopMeasuring", null);
  }

  async #row(level: number): Promise<Row> {
    const cpu = await this.#measure(level, "cpu");
    if (!this.hasGpu()) return { level, cpu, failure: "no WebGPU" };
    try {
      const gpu = await this.#measure(level, "gpu");
      // A problem that the device cannot hold is solved by the CPU, which would be compared with itself.
      return gpu.ranOn === "gpu" ? { level, cpu, gpu } : { level, cpu, failure: gpu.backend };
    } catch (error) {
      if (this.#stopped || !(error instanceof SolverError)) throw error;
      return { level, cpu, failure: error.message };
    }
  }

  #measure(level: number, backend: "cpu" | "gpu"): Promise<Measured> {
    if (this.#stopped) throw new Error("stopped");
    this.#status.textContent = `Level ${level} on the ${backend.toUpperCase()}…`;
    return this.#solver.call("measure", {
      level,
      backend,
      energy: this.#energy.value as Energy,
      precision: this.precision(),
      linearSolver: this.#linearSolver.value as LinearSolver,
      repeats: Number(this.#repeats.value),
    });
  }

  #milliseconds(measured: Measured): number {
    return 1000 * (this.#quantity.value === "step" ? measured.secondsPerStep : measured.seconds);
  }

  #show() {
    if (!this.#rows.length) return;
    element("benchmark-results", HTMLElement).hidden = false;
    const columns: Columns = [
      this.#rows.map(({ cpu }) => cpu.residuals),
      this.#rows.map(({ cpu }) => this.#milliseconds(cpu) || null),
      this.#rows.map(({ gpu }) => (gpu ? this.#milliseconds(gpu) || null : null)),
    ];
    this.#chart.set(columns);
    this.#chart.describe(this.#spoken());
    this.#body.replaceChildren(...this.#rows.map((row) => this.#line(row)));
  }

  #line({ level, cpu, gpu, failure }: Row): HTMLTableRowElement {
    const head = [
      make("td", [String(level)]),
      make("td", [count(cpu.residuals)]),
      make("td", [quantity(this.#milliseconds(cpu), 3)]),
    ];
    if (!gpu)
      return make("tr", [
        ...head,
        make("td", [failure ?? "–"], { colSpan: 2, className: "muted" }),
        make("td", [quantity(cpu.finalCost, 6)]),
        make("td", ["–"]),
        make("td", ["–"]),
      ]);
    const error = difference(cpu, gpu);
    const agree = error <= AGREEMENT;
    const row = make("tr", [
      ...head,
      make("td", [quantity(this.#milliseconds(gpu), 3)]),
      make("td", [quantity(this.#milliseconds(cpu) / this.#milliseconds(gpu), 2)]),
      make("td", [quantity(cpu.finalCost, 6)]),
      make("td", [quantity(error, 2)]),
      make("td", [agree ? "yes" : "no"], { className: agree ? "agree" : "differ" }),
    ]);
    row.dataset.relativeError = String(error);
    return row;
  }

  /** The results in a sentence. */
  #verdict(): string {
    const both = this.#rows.flatMap(({ cpu, gpu }) => (gpu ? [difference(cpu, gpu)] : []));
    if (!both.length) return "Done, on the CPU alone: there is no GPU to compare with.";
    const worst = Math.max(...both);
    return worst <= AGREEMENT
      ? `Done. The costs agree at every level, the relative difference is ${quantity(worst, 2)} at most.`
      : `Done. The costs differ by up to ${quantity(worst, 2)} relative, which is more than ${AGREEMENT}.`;
  }

  #spoken(): string {
    const parts = this.#rows.map(({ cpu, gpu }) => {
      const times = `CPU ${quantity(this.#milliseconds(cpu), 3)} ms`;
      return `${count(cpu.residuals)} residuals: ${times}${gpu ? `, GPU ${quantity(this.#milliseconds(gpu), 3)} ms` : ""}`;
    });
    return `Time over residuals. ${parts.join("; ")}`;
  }
}

function difference(cpu: Measured, gpu: Measured): number {
  return Math.abs(gpu.finalCost - cpu.finalCost) / (Math.abs(cpu.finalCost) || 1);
}
