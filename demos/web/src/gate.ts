// Holds a solve between two iterations: while it is paused, and until an iteration has been on show long enough.

/** A door that a solve passes after each iteration. */
export class Gate {
  /** Least milliseconds between two passages. */
  interval = 0;
  /** Milliseconds that the solve was held here, which are not its own. */
  held = 0;
  #paused = false;
  #passed = 0;
  #wake: (() => void) | undefined;

  /** Begins a new solve. */
  open(interval: number) {
    this.interval = interval;
    this.held = 0;
    this.#paused = false;
    this.#passed = performance.now();
  }

  pause() {
    this.#paused = true;
  }

  resume() {
    this.#paused = false;
    this.#wake?.();
  }

  /** Sets another interval, which holds at once. */
  pace(interval: number) {
    this.interval = interval;
    this.#wake?.();
  }

  /** Resolves when the solve may go on; until then the solver waits. */
  async pass() {
    const came = performance.now();
    for (;;) {
      const left = this.#passed + this.interval - performance.now();
      if (!this.#paused && left <= 0) break;
      await new Promise<void>((resolve) => {
        const timer = this.#paused ? undefined : setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    this.#passed = performance.now();
    this.held += this.#passed - came;
  }

  /** Whether a solve would be held now; if not, it need not wait for a promise either. */
  get closed(): boolean {
    return this.#paused || performance.now() < this.#passed + this.interval;
  }
}
