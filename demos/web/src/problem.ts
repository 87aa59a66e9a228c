// The form that says what is minimised: mesh, energy and start.

import type { Energy } from "isograd";
import { element } from "./dom.ts";
import { count, quantity } from "./format.ts";
import { unpacked } from "./gzip.ts";
import { measureOf } from "./measure.ts";
import type { Deformation, Source, Start, Stated } from "./messages.ts";
import type { View } from "./scene.ts";
import { edgesOf, extentOf } from "./shape.ts";
import type { Solver } from "./solver.ts";

const ENERGIES: Record<Energy, string> = {
  smooth:
    "Keep edge lengths, flatten the Laplacian. Per edge |xᵢ − xⱼ| − |pᵢ − pⱼ|, per vertex ½ (x − mean of its neighbours).",
  stretch:
    "Lengthen edges by a fifth, keep the Laplacian. Per edge |xᵢ − xⱼ| − 1.2 |pᵢ − pⱼ|, per vertex the change of x − mean of its neighbours.",
  developable:
    "Bend into patches that unroll without stretching, with creases between them: the covariance energy of Stein, Grinspun and Crane (2018), by many solves. Weights change between them, and the cost jumps.",
  arap: "As rigid as possible (Sorkine and Alexa 2007): top and bottom are handles, the top turned by 45° and raised; every vertex has a rotation of its own.",
  sphere:
    "Edges of length 1 on a sphere whose radius is a tenth too large. Per edge |xᵢ − xⱼ| − 1, per vertex |x| − 1.1 · mean |p|. Made for icospheres.",
};

/** Room that the surface takes, in radii of its shape. */
const ROOM: Record<Energy, number> = { smooth: 1.1, stretch: 1.2, developable: 1.4, arap: 1.2, sphere: 1.15 };

const DEFORMATIONS: Record<Exclude<Deformation, "stated">, string> = {
  waves: "Vertices move out and in, in a few lobes, by up to this share of their distance from the centre.",
  noise: "Each coordinate is moved by up to this many mean edge lengths, at random (always the same).",
  none: "Nothing is moved: x = p.",
};

function startNote(energy: Energy, deformation: Deformation): string {
  if (deformation !== "stated") return DEFORMATIONS[deformation];
  if (energy === "arap") return "Nothing is moved but the targets of the handles.";
  if (energy === "developable") return "Vertices are moved at random by 0.02 mean edge lengths, to break the symmetry.";
  return "x = p + 0.3 (sin(3y + 2z), sin(3z + 2x + 1), sin(3x + 2y + 2)) with (x, y, z) = p, in mean edge lengths.";
}

/** The problem on show, but for its mesh. */
interface Shown {
  energy: Energy;
  start: Start;
}

export class ProblemForm {
  readonly #level = element("level", HTMLInputElement);
  readonly #energy = element("energy", HTMLSelectElement);
  readonly #deformation = element("deformation", HTMLSelectElement);
  readonly #strength = element("strength", HTMLInputElement);
  readonly #fileError = element("file-error", HTMLElement);
  readonly #energyError = element("energy-error", HTMLElement);
  readonly #file = element("file", HTMLInputElement);
  /** What the mesh on show was made of; the next one, until it is loaded. */
  #name = "";
  #next: Source | undefined;
  #shown: Shown | undefined;
  #stated: Stated | undefined;
  #stale = false;
  #busy = false;

  constructor(
    readonly solver: Solver,
    readonly view: View | undefined,
    readonly stated: (stated: Stated, energy: Energy) => void,
  ) {
    this.#level.addEventListener("input", () => this.#label());
    this.#level.addEventListener("change", () => this.icosphere());
    this.#strength.addEventListener("input", () => this.#label());
    for (const control of [this.#energy, this.#deformation, this.#strength])
      control.addEventListener("change", () => this.#restate());
    this.#file.addEventListener("change", () => void this.open(this.#file.files?.[0]));
    this.#drop();
    this.#label();
  }

  /** Takes the icosphere of the level that is set. */
  icosphere() {
    this.#file.value = "";
    this.#next = { kind: "icosphere", level: Number(this.#level.value) };
    this.#restate();
  }

  /** Takes a mesh from a file. */
  async open(file: File | undefined) {
    if (!file) return;
    try {
      this.#next = { kind: "file", name: file.name, bytes: await unpacked(file) };
    } catch (error) {
      this.#fileError.textContent = `${file.name} could not be read: ${messageOf(error)}`;
      return;
    }
    this.#restate();
  }

  /** States the problem anew. What changes meanwhile makes one more round, however much it is. */
  #restate() {
    this.#label();
    this.#stale = true;
    if (!this.#busy) void this.#rounds();
  }

  async #rounds() {
    this.#busy = true;
    element("size", HTMLElement).textContent = "Making the mesh…";
    while (this.#stale) {
      this.#stale = false;
      await this.#round();
    }
    this.#busy = false;
  }

  async #round() {
    const wish: Shown = {
      energy: this.#energy.value as Energy,
      start: { deformation: this.#deformation.value as Deformation, strength: Number(this.#strength.value) },
    };
    const source = this.#next;
    this.#next = undefined;
    for (const error of [this.#fileError, this.#energyError]) error.textContent = "";
    try {
      const stated = await this.solver.call(
        "state",
        { ...wish, ...(source && { source }) },
        source?.kind === "file" ? [source.bytes.buffer] : [],
      );
      if (source) this.#name = source.kind === "file" ? source.name : `Icosphere, level ${source.level}`;
      this.#shown = wish;
      // Newer wishes are fulfilled first: nobody wants to see this one.
      if (!this.#stale) this.#show(wish.energy, stated);
    } catch (error) {
      (source ? this.#fileError : this.#energyError).textContent = messageOf(error);
      this.#goBack();
    }
  }

  /** Lets the form say again what is on show. */
  #goBack() {
    if (this.#shown && !this.#stale) {
      this.#energy.value = this.#shown.energy;
      this.#deformation.value = this.#shown.start.deformation;
    }
    this.#label();
    this.#caption();
  }

  #show(energy: Energy, stated: Stated) {
    this.#stated = stated;
    this.#caption();
    const { triangles, shape, start } = stated;
    const edges = edgesOf(triangles);
    const measure = measureOf(energy, triangles, edges, shape);
    element("legend-name", HTMLElement).textContent = measure.name;
    element("legend-low", HTMLElement).textContent = measure.format(-measure.bound);
    element("legend-high", HTMLElement).textContent = measure.format(measure.bound);
    // The page keeps the start for resets, so what is drawn is a copy.
    this.view?.set(triangles, edges, start.slice(), extentOf(shape), ROOM[energy], measure);
    this.stated(stated, energy);
  }

  #caption() {
    if (!this.#stated) return;
    const { vertices, faces, residuals, parameters } = this.#stated;
    element("title", HTMLElement).textContent = this.#name;
    element("size", HTMLElement).textContent =
      `${count(vertices)} vertices, ${count(faces)} faces · ${count(residuals)} residuals in ${count(parameters)} unknowns`;
  }

  #label() {
    const energy = this.#energy.value as Energy;
    // This one takes no start but its own.
    this.#deformation.disabled = energy === "developable";
    if (this.#deformation.disabled) this.#deformation.value = "stated";
    const deformation = this.#deformation.value as Deformation;
    element("level-value", HTMLOutputElement).textContent = this.#level.value;
    this.#level.setAttribute(
      "aria-valuetext",
      `level ${this.#level.value}, ${count(10 * 4 ** Number(this.#level.value) + 2)} vertices`,
    );
    element("strength-value", HTMLOutputElement).textContent = quantity(Number(this.#strength.value), 2);
    element("strength-field", HTMLElement).hidden = deformation === "stated" || deformation === "none";
    element("energy-note", HTMLElement).textContent = ENERGIES[energy];
    element("deformation-note", HTMLElement).textContent = startNote(energy, deformation);
  }

  /** Files may be dropped anywhere on the page. */
  #drop() {
    const files = (event: DragEvent) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragover", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      document.body.classList.add("dragging");
    });
    addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) document.body.classList.remove("dragging");
    });
    addEventListener("drop", (event) => {
      document.body.classList.remove("dragging");
      if (!files(event)) return;
      event.preventDefault();
      void this.open(event.dataTransfer?.files[0]);
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
