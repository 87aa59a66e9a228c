// The mesh as three.js draws it: faces and edges over one set of positions, that glide from one point of the solve to the next.

import {
  BufferAttribute,
  BufferGeometry,
  Color,
  DynamicDrawUsage,
  Group,
  LineBasicMaterial,
  LineSegments,
  type Material,
  Mesh,
  MeshStandardMaterial,
} from "three";
import { type Measure, vertexNormals } from "./measure.ts";

/** How the surface is drawn. */
export interface Look {
  edges: boolean;
  smooth: boolean;
  colors: boolean;
}

export class Surface {
  readonly object = new Group();
  #faces = new BufferGeometry();
  #lines = new BufferGeometry();
  readonly #uniforms = {
    glide: { value: 1 },
    strength: { value: 1 },
    low: { value: new Color(0x2467b5) },
    high: { value: new Color(0xc63c2f) },
  };
  readonly #material = new MeshStandardMaterial({
    roughness: 0.62,
    metalness: 0,
    flatShading: true,
    polygonOffset: true,
    polygonOffsetFactor: 1,
    polygonOffsetUnits: 1,
  });
  readonly #lineMaterial = new LineBasicMaterial({ transparent: true, depthWrite: false });
  #measure: Measure | undefined;
  #triangles = new Uint32Array();
  /** Two buffers on the GPU, that take turns: the point shown last, and the one before it. */
  #points: [BufferAttribute, BufferAttribute] | undefined;
  #newest = 0;
  #normalsOf: Float32Array | undefined;
  #colorsOf: Float32Array | undefined;
  #look: Look = { edges: true, smooth: false, colors: true };

  constructor() {
    glide(this.#material, this.#uniforms, true);
    glide(this.#lineMaterial, this.#uniforms, false);
    const faces = new Mesh(this.#faces, this.#material);
    const lines = new LineSegments(this.#lines, this.#lineMaterial);
    // Vertices move without notice, and there is nothing else in view to be drawn instead.
    faces.frustumCulled = lines.frustumCulled = false;
    this.object.add(faces, lines);
  }

  /** Takes another mesh. The positions belong to the surface from here on. */
  set(
    triangles: Uint32Array<ArrayBuffer>,
    edges: Uint32Array<ArrayBuffer>,
    positions: Float32Array<ArrayBuffer>,
    measure: Measure,
  ) {
    this.#faces.dispose();
    this.#lines.dispose();
    this.#triangles = triangles;
    this.#measure = measure;
    this.#points = [dynamic(positions, 3), dynamic(positions.slice(), 3)];
    this.#faces.setIndex(new BufferAttribute(triangles, 1));
    this.#lines.setIndex(new BufferAttribute(edges, 1));
    this.#faces.setAttribute("normal", dynamic(new Float32Array(positions.length), 3));
    this.#faces.setAttribute("measure", dynamic(new Float32Array(positions.length / 3), 1));
    this.#normalsOf = this.#colorsOf = undefined;
    // Many edges draw themselves into a grey: the more there are, the fainter each.
    this.#lineMaterial.opacity = Math.min(0.55, 14 / Math.sqrt(edges.length / 2));
    this.#turn(0);
    this.dress(this.#look);
  }

  /** Shows another point, and returns the buffer that nothing reads any more. */
  move(positions: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> | undefined {
    const next = this.#points?.[1 - this.#newest];
    if (!next || next.array.length !== positions.length) return positions;
    const free = next.array as Float32Array<ArrayBuffer>;
    next.array = positions;
    next.needsUpdate = true;
    this.#turn(1 - this.#newest);
    this.#refresh();
    return free;
  }

  /** How far the surface has come from the point before to the newest, 0 to 1. */
  set glide(fraction: number) {
    this.#uniforms.glide.value = fraction;
  }

  dress(look: Look) {
    this.#look = look;
    this.#material.flatShading = !look.smooth;
    this.#material.needsUpdate = true;
    this.#uniforms.strength.value = look.colors ? 1 : 0;
    this.object.children[1]!.visible = look.edges;
    this.#refresh();
  }

  paint(surface: Color, lines: Color) {
    this.#material.color.copy(surface);
    this.#lineMaterial.color.copy(lines);
  }

  #turn(newest: number) {
    this.#newest = newest;
    for (const geometry of [this.#faces, this.#lines]) {
      geometry.setAttribute("position", this.#points![newest]!);
      geometry.setAttribute("previous", this.#points![1 - newest]!);
    }
  }

  /** Normals and colours of the newest point, where the look asks for them and they are of another point. */
  #refresh() {
    const positions = this.#points?.[this.#newest]?.array as Float32Array | undefined;
    if (!positions) return;
    if (this.#look.smooth && this.#normalsOf !== positions) {
      this.#normalsOf = positions;
      this.#write("normal", (values) => vertexNormals(this.#triangles, positions, values));
    }
    if (this.#look.colors && this.#colorsOf !== positions) {
      this.#colorsOf = positions;
      this.#write("measure", (values) => this.#measure?.compute(positions, values));
    }
  }

  #write(name: string, compute: (values: Float32Array) => void) {
    const attribute = this.#faces.getAttribute(name) as BufferAttribute;
    compute(attribute.array as Float32Array);
    attribute.needsUpdate = true;
  }
}

function dynamic(array: Float32Array<ArrayBuffer>, size: number): BufferAttribute {
  return new BufferAttribute(array, size).setUsage(DynamicDrawUsage);
}

/** Lets a material's vertices glide between two points, and colours its faces by the measure. */
function glide(material: Material, uniforms: Record<string, { value: unknown }>, colored: boolean) {
  material.onBeforeCompile = (shader) => {
    Object.assign(shader.uniforms, uniforms);
    const varying = colored ? "varying float vMeasure;\n" : "";
    shader.vertexShader =
      `attribute vec3 previous;\nuniform float glide;\n${colored ? "attribute float measure;\n" : ""}${varying}${shader.vertexShader}`.replace(
        "#include <begin_vertex>",
        `vec3 transformed = mix(previous, position, glide);${colored ? "\nvMeasure = measure;" : ""}`,
      );
    if (!colored) return;
    shader.fragmentShader =
      `uniform float strength;\nuniform vec3 low;\nuniform vec3 high;\n${varying}${shader.fragmentShader}`.replace(
        "#include <color_fragment>",
        // The root spreads small errors out, as the last of them would be invisible otherwise.
        `float share = strength * sqrt(min(abs(vMeasure), 1.0));
       diffuseColor.rgb = mix(diffuseColor.rgb, vMeasure < 0.0 ? low : high, share);`,
      );
  };
}
