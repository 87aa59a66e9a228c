// What a vertex is coloured by, and the normals of smooth shading. Computed for the points that are drawn, and no others.

import type { Energy } from "isograd";
import { edgeLengths } from "./shape.ts";

/** A signed number a vertex, 0 where the surface is as the energy wants it. */
export interface Measure {
  /** What it is, with its unit. */
  name: string;
  /** The number that gets the full colour. */
  bound: number;
  format(value: number): string;
  /** Writes the number of each vertex, as a fraction of the bound. */
  compute(positions: Float32Array, values: Float32Array): void;
}

/** What shows best how far an energy is from its minimum. */
export function measureOf(energy: Energy, triangles: Uint32Array, edges: Uint32Array, shape: Float32Array): Measure {
  return energy === "developable" ? curvature(triangles) : edgeError(edges, targets(energy, edges, shape));
}

/** The length that an energy wants of each edge. */
function targets(energy: Energy, edges: Uint32Array, shape: Float32Array): Float64Array {
  const lengths = edgeLengths(edges, shape);
  if (energy === "sphere") return lengths.fill(1);
  return energy === "stretch" ? lengths.map((length) => 1.2 * length) : lengths;
}

/** Mean over the edges of a vertex of length / target − 1. */
function edgeError(edges: Uint32Array, targets: Float64Array): Measure {
  const bound = 0.3;
  let valence: Float32Array | undefined;
  return {
    name: "edge length error",
    bound,
    format: (value) => `${value > 0 ? "+" : "−"}${Math.abs(100 * value)} %`,
    compute(positions, values) {
      valence ??= valences(edges, values.length);
      const lengths = edgeLengths(edges, positions);
      values.fill(0);
      for (let e = 0; e < lengths.length; e++) {
        const error = lengths[e]! / targets[e]! - 1;
        values[edges[2 * e]!]! += error;
        values[edges[2 * e + 1]!]! += error;
      }
      for (let v = 0; v < values.length; v++) values[v]! /= valence[v]! * bound;
    },
  };
}

function valences(edges: Uint32Array, vertices: number): Float32Array {
  const valence = new Float32Array(vertices);
  for (const vertex of edges) valence[vertex]! += 1;
  return valence.map((count) => count || 1);
}

/** Angle defect 2π − Σθ, in units of 4π/V, the mean of a closed surface without holes: 0 where the surface unrolls. */
function curvature(triangles: Uint32Array): Measure {
  return {
    name: "curvature (mean of a sphere = 1)",
    bound: 1,
    format: (value) => `${value > 0 ? "+" : "−"}${Math.abs(value)}`,
    compute(positions, values) {
      values.fill(2 * Math.PI);
      for (let corner = 0; corner < triangles.length; corner++) {
        const first = corner - (corner % 3);
        const here = triangles[corner]!;
        values[here]! -= angle(
          positions,
          here,
          triangles[first + ((corner + 1) % 3)]!,
          triangles[first + ((corner + 2) % 3)]!,
        );
      }
      const unit = values.length / (4 * Math.PI);
      for (let v = 0; v < values.length; v++) values[v]! *= unit;
    },
  };
}

/** The angle at vertex `o` between `a` and `b`. */
function angle(x: Float32Array, o: number, a: number, b: number): number {
  const [ux, uy, uz] = [x[3 * a]! - x[3 * o]!, x[3 * a + 1]! - x[3 * o + 1]!, x[3 * a + 2]! - x[3 * o + 2]!];
  const [vx, vy, vz] = [x[3 * b]! - x[3 * o]!, x[3 * b + 1]! - x[3 * o + 1]!, x[3 * b + 2]! - x[3 * o + 2]!];
  const cross = Math.hypot(uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx);
  return Math.atan2(cross, ux * vx + uy * vy + uz * vz);
}

/** Normals at vertices: the sum over their triangles, by area. The shader brings them to length 1. */
export function vertexNormals(triangles: Uint32Array, x: Float32Array, normals: Float32Array) {
  normals.fill(0);
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [3 * triangles[t]!, 3 * triangles[t + 1]!, 3 * triangles[t + 2]!];
    const [ux, uy, uz] = [x[b]! - x[a]!, x[b + 1]! - x[a + 1]!, x[b + 2]! - x[a + 2]!];
    const [vx, vy, vz] = [x[c]! - x[a]!, x[c + 1]! - x[a + 1]!, x[c + 2]! - x[a + 2]!];
    const [nx, ny, nz] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const corner of [a, b, c]) {
      normals[corner]! += nx;
      normals[corner + 1]! += ny;
      normals[corner + 2]! += nz;
    }
  }
}
