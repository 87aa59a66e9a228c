// The solve on show: start, pause, reset, what it says, and its curve.

import { Chart } from "./chart.ts";
import { chosen, element, make } from "./dom.ts";
import { count, duration, quantity } from "./format.ts";
import type { Frame, Iteration, Solved, SolverChoice, Stated } from "./messages.ts";
import type { View } from "./scene.ts";
import { type Solver, SolverError } from "./solver.ts";

type State = "empty" | "ready" | "running" | "paused" | "done";

export class Run {
  readonly #solver: Solver;
  readonly #view: View | undefined;
  readonly #start = element("start", HTMLButtonElement);
  readonly #reset = element("reset", HTMLButtonElement);
  readonly #pace = element("pace", HTMLFieldSetElement);
  readonly #status = element("status", HTMLElement);
  readonly #rows = element("iterations", HTMLTableElement).tBodies[0]!;
  readonly #curve = new Chart(element("curve", HTMLElement), {
    x: "iteration",
    logarithmic: false,
    series: [{ name: "cost", color: "--accent" }],
  });
  #state: State = "empty";
  #allowed = true;
  #stated: Stated | undefined;
  #history: Iteration[] = [];
  /** Positions that were sent and not shown yet. */
  #positions: Float32Array<ArrayBuffer> | undefined;
  #scheduled = 0;

  constructor(
    solver: Solver,
    view: View | undefined,
    readonly choice: () => SolverChoice,
  ) {
    this.#solver = solver;
    this.#view = view;
    solver.onFrame = (frame) => this.#hear(frame);
    this.#start.addEventListener("click", () => void this.toggle());
    this.#reset.addEventListener("click", () => void this.reset());
    this.#pace.addEventListener("change", () => void solver.call("pace", this.#interval));
    document
      .getElementById("iterations")
      ?.closest("details")
      ?.addEventListener("toggle", () => this.#tabulate());
    this.#to("empty");
  }

  /** Puts another problem at its start. */
  set(stated: Stated) {
    this.#stated = stated;
    this.#clear(stated.cost);
    this.#to("ready");
    this.#say("Ready.");
  }

  /** Starts, pauses or goes on. */
  async toggle() {
    if (this.#state === "running") return this.pause();
    if (this.#state === "paused") {
      this.#to("running");
      this.#say("Running.");
      await this.#solver.call("resume", null);
    } else if (this.#stated) await this.#solve(this.#stated);
  }

  /** Holds the solve, if one runs. */
  async pause() {
    if (this.#state !== "running") return;
    this.#to("paused");
    this.#say(`Paused after iteration ${this.#history.at(-1)?.iteration ?? 0}.`);
    await this.#solver.call("pause", null);
  }

  /** Ends the solve, if one runs, and goes back to the start. */
  async reset() {
    const stated = this.#stated;
    if (!stated) return;
    if (this.#state === "running") this.#say("Stopping after this iteration…");
    await this.#solver.call("stop", null);
    if (this.#stated !== stated) return;
    this.#clear(stated.cost);
    this.#view?.move(stated.start.slice(), false);
    this.#to("ready");
    this.#say("Back at the start.");
  }

  /** Whether a start is possible: the benchmark wants the worker for itself. */
  set allowed(allowed: boolean) {
    this.#allowed = allowed;
    this.#to(this.#state);
  }

  paint() {
    this.#curve.paint();
  }

  get #interval(): number {
    return Number(chosen(this.#pace));
  }

  async #solve(stated: Stated) {
    const again = this.#state === "done";
    this.#clear(stated.cost);
    if (again) this.#view?.move(stated.start.slice(), false);
    this.#to("running");
    this.#say("Running.");
    const slow = setTimeout(() => {
      if (this.#state === "running" && this.#history.length < 2)
        this.#say("Running. The first solve on a GPU waits for its shaders to be compiled.");
    }, 1500);
    try {
      const solved = await this.#solver.call("solve", { ...this.choice(), interval: this.#interval });
      if (this.#stated !== stated) return;
      if (solved.termination !== "cancelled") this.#finish(solved);
      else if (this.#state !== "ready") this.#to("done");
    } catch (error) {
      if (this.#stated !== stated) return;
      this.#to("ready");
      this.#say(error instanceof SolverError ? `The solve failed: ${error.message}` : String(error));
    } finally {
      clearTimeout(slow);
    }
  }

  #finish({ termination, message, finalCost, seconds, backend, positions }: Solved) {
    if (this.#positions) this.#solver.recycle(this.#positions);
    this.#positions = positions;
    this.#to("done");
    this.#schedule();
    const last = this.#history.at(-1)?.iteration ?? 0;
    const ended = message || termination;
    this.#say(`Done after ${last} iterations: cost ${quantity(finalCost, 6)}. ${ended.replace(/\.?$/, ".")}`);
    element("cost", HTMLElement).dataset.value = String(finalCost);
    element("seconds", HTMLElement).textContent = duration(seconds);
    element("backend-used", HTMLElement).textContent = `Solved on: ${backend}.`;
    this.#curve.describe(
      `Cost by iteration: from ${quantity(this.#history[0]?.cost ?? NaN)} to ${quantity(finalCost)} in ${last} iterations`,
    );
  }

  #hear({ iteration, positions }: Frame) {
    if (this.#state !== "running" && this.#state !== "paused") {
      if (positions) this.#solver.recycle(positions);
      return;
    }
    this.#history.push(iteration);
    if (positions) {
      // The point before was never shown, and nobody will miss it: the display is slower than the solver.
      if (this.#positions) this.#solver.recycle(this.#positions);
      this.#positions = positions;
    }
    this.#schedule();
  }

  #schedule() {
    this.#scheduled ||= requestAnimationFrame(() => {
      this.#scheduled = 0;
      this.#show();
    });
  }

  #show() {
    const last = this.#history.at(-1);
    if (this.#positions) {
      if (this.#view) this.#view.move(this.#positions, this.#interval > 0);
      else this.#solver.recycle(this.#positions);
      this.#positions = undefined;
    }
    if (!last) return;
    this.#number("cost", last.cost, quantity(last.cost, 6));
    this.#number("iteration", last.iteration, count(last.iteration));
    this.#number("gradient", last.gradientMaxNorm, quantity(last.gradientMaxNorm, 3));
    if (last.stage && this.#state === "running") element("backend-used", HTMLElement).textContent = `At ${last.stage}.`;
    if (this.#state !== "done") this.#number("seconds", last.seconds, duration(last.seconds));
    // A cost of zero has no place on a logarithmic axis.
    this.#curve.set([
      this.#history.map((record) => record.iteration),
      this.#history.map(({ cost }) => (cost > 0 ? cost : null)),
    ]);
    this.#tabulate();
  }

  #number(id: string, value: number, text: string) {
    const cell = element(id, HTMLElement);
    cell.textContent = text;
    cell.dataset.value = String(value);
  }

  /** Adds the rows that the table lacks, if it is open. */
  #tabulate() {
    if (!this.#rows.closest("details")?.open) return;
    const missing = this.#history.slice(this.#rows.rows.length);
    this.#rows.append(
      ...missing.map((record) =>
        make("tr", [
          make("td", [String(record.iteration)]),
          make("td", [quantity(record.cost, 6)]),
          make("td", [quantity(record.gradientMaxNorm, 3)]),
          make("td", [quantity(record.stepNorm, 3)]),
          make("td", [quantity(record.trustRegionRadius, 3)]),
          make("td", [String(record.linearIterations)]),
          make("td", [record.accepted ? "yes" : "no"]),
        ]),
      ),
    );
  }

  #clear(cost: number) {
    this.#history = [];
    if (this.#positions) this.#solver.recycle(this.#positions);
    this.#positions = undefined;
    this.#rows.replaceChildren();
    // A second place on the axis, as one alone has no scale.
    this.#curve.set([
      [0, 1],
      [cost > 0 ? cost : null, null],
    ]);
    this.#curve.describe("Cost by iteration: only the start yet");
    this.#number("cost", cost, quantity(cost, 6));
    this.#number("iteration", 0, "0");
    for (const id of ["gradient", "seconds"]) element(id, HTMLElement).textContent = "–";
    element("backend-used", HTMLElement).textContent = "";
  }

  #to(state: State) {
    this.#state = state;
    this.#start.dataset.state = state;
    this.#start.textContent = {
      empty: "Start",
      ready: "Start",
      running: "Pause",
      paused: "Go on",
      done: "Start again",
    }[state];
    this.#start.disabled = state === "empty" || !this.#allowed;
    this.#reset.disabled = state === "empty" || state === "ready";
  }

  #say(text: string) {
    this.#status.textContent = text;
  }
}
