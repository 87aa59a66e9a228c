// The 3D view: camera, light and the surface. It draws when something changed, and not otherwise.

import {
  CanvasTexture,
  Color,
  DirectionalLight,
  HemisphereLight,
  Mesh,
  MeshBasicMaterial,
  PerspectiveCamera,
  PlaneGeometry,
  Scene,
  Spherical,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import type { Measure } from "./measure.ts";
import type { Extent } from "./shape.ts";
import { type Look, Surface } from "./surface.ts";

/** Longest glide between two points, in milliseconds. */
const GLIDE = 300;
/** What one press of a key turns, in radians. */
const TURN = Math.PI / 24;
const HOME = new Spherical(5.2, 1.25, 0.6);

export class View {
  readonly #renderer: WebGLRenderer;
  readonly #scene = new Scene();
  readonly #camera = new PerspectiveCamera(30, 1, 0.1, 60);
  readonly #controls: OrbitControls;
  readonly #surface = new Surface();
  readonly #key = new DirectionalLight(0xffffff, 2.2);
  readonly #sky = new HemisphereLight(0xffffff, 0x8d99a8, 1.15);
  readonly #shadow = shadow();
  readonly #still = matchMedia("(prefers-reduced-motion: reduce)");
  #scheduled = 0;
  #moved = 0;
  #glideTime = 0;

  /** @throws where the browser has no WebGL. */
  constructor(
    readonly host: HTMLElement,
    readonly recycle: (buffer: Float32Array<ArrayBuffer>) => void,
  ) {
    this.#renderer = new WebGLRenderer({ antialias: true, alpha: true, powerPreference: "high-performance" });
    this.#renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    host.prepend(this.#renderer.domElement);
    this.#key.position.set(-2, 3, 2.5);
    const rim = new DirectionalLight(0xdfe9ff, 0.7);
    rim.position.set(2.5, -0.5, -2);
    this.#camera.add(this.#key, rim);
    this.#scene.add(this.#camera, this.#sky, this.#surface.object, this.#shadow);
    this.#controls = this.#orbit();
    this.home();
    new ResizeObserver(() => this.#resize()).observe(host);
    host.addEventListener("keydown", (event) => this.#press(event));
  }

  /** Shows another mesh, with room for what becomes of it, in radii of its extent. */
  set(
    triangles: Uint32Array<ArrayBuffer>,
    edges: Uint32Array<ArrayBuffer>,
    positions: Float32Array<ArrayBuffer>,
    extent: Extent,
    room: number,
    measure: Measure,
  ) {
    const scale = 1 / (room * extent.radius);
    this.#surface.object.scale.setScalar(scale);
    this.#surface.object.position.set(...extent.centre).multiplyScalar(-scale);
    this.#shadow.position.y = -scale * extent.depth - 0.35;
    this.#surface.set(triangles, edges, positions, measure);
    this.#surface.glide = 1;
    this.#glideTime = 0;
    this.invalidate();
  }

  /** Shows another point, gliding to it where there is time. */
  move(positions: Float32Array<ArrayBuffer>, smoothly: boolean) {
    const free = this.#surface.move(positions);
    if (free) this.recycle(free);
    const now = performance.now();
    const interval = now - this.#moved;
    this.#moved = now;
    // Points that come fast are an animation by themselves.
    this.#glideTime = smoothly && !this.#still.matches && interval > 80 ? Math.min(GLIDE, 0.8 * interval) : 0;
    this.#surface.glide = this.#glideTime ? 0 : 1;
    this.invalidate();
  }

  dress(look: Look) {
    this.#surface.dress(look);
    this.invalidate();
  }

  /** Takes the colours of the style sheet. */
  paint(dark: boolean) {
    const style = getComputedStyle(this.host);
    const color = (name: string) => new Color(style.getPropertyValue(name).trim());
    this.#surface.paint(color("--surface"), color("--edges"));
    this.#sky.intensity = dark ? 0.85 : 1.15;
    this.#shadow.material.opacity = dark ? 0.55 : 0.3;
    this.invalidate();
  }

  home() {
    this.#camera.position.setFromSpherical(HOME);
    this.#controls.update();
    this.invalidate();
  }

  /** Draws before the next repaint. */
  invalidate() {
    this.#scheduled ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#scheduled = 0;
    let again = this.#controls.update();
    if (this.#glideTime) {
      const fraction = Math.min(1, (performance.now() - this.#moved) / this.#glideTime);
      this.#surface.glide = fraction * fraction * (3 - 2 * fraction);
      if (fraction < 1) again = true;
      else this.#glideTime = 0;
    }
    this.#renderer.render(this.#scene, this.#camera);
    if (again) this.invalidate();
  }

  #orbit(): OrbitControls {
    const canvas = this.#renderer.domElement;
    const controls = new OrbitControls(this.#camera, canvas);
    controls.enablePan = false;
    controls.enableDamping = !this.#still.matches;
    controls.minDistance = 2.2;
    controls.maxDistance = 20;
    controls.addEventListener("change", () => this.invalidate());
    // The wheel and a vertical swipe scroll the page, until the view has the focus: nobody gets stuck in a picture.
    controls.enableZoom = false;
    this.host.addEventListener("focusin", () => (controls.enableZoom = true));
    this.host.addEventListener("focusout", () => (controls.enableZoom = false));
    canvas.style.touchAction = "pan-y";
    canvas.addEventListener("pointerdown", () => this.host.focus({ preventScroll: true }));
    return controls;
  }

  #press(event: KeyboardEvent) {
    if (event.target !== this.host || event.ctrlKey || event.metaKey || event.altKey) return;
    const turns: Record<string, [number, number, number]> = {
      ArrowLeft: [-TURN, 0, 1],
      ArrowRight: [TURN, 0, 1],
      ArrowUp: [0, -TURN, 1],
      ArrowDown: [0, TURN, 1],
      "+": [0, 0, 1 / 1.1],
      "=": [0, 0, 1 / 1.1],
      "-": [0, 0, 1.1],
    };
    const turn = turns[event.key];
    if (!turn && event.key !== "Home") return;
    event.preventDefault();
    if (!turn) return this.home();
    const place = new Spherical().setFromVector3(this.#camera.position);
    place.theta += turn[0];
    place.phi = Math.min(Math.PI - 0.05, Math.max(0.05, place.phi + turn[1]));
    place.radius = Math.min(this.#controls.maxDistance, Math.max(this.#controls.minDistance, place.radius * turn[2]));
    this.#camera.position.setFromSpherical(place);
    this.#controls.update();
    this.invalidate();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (!width || !height) return;
    this.#renderer.setSize(width, height, false);
    this.#camera.aspect = width / height;
    // The sphere fits into the shorter side.
    this.#camera.fov = width < height ? (360 / Math.PI) * Math.atan(Math.tan(Math.PI / 12) * (height / width)) : 30;
    this.#camera.updateProjectionMatrix();
    this.invalidate();
  }
}

/** A soft disc below the surface, that gives it a ground to float over. */
function shadow() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 128;
  const context = canvas.getContext("2d")!;
  const gradient = context.createRadialGradient(64, 64, 0, 64, 64, 64);
  for (let i = 0; i <= 8; i++) gradient.addColorStop(i / 8, `rgba(0, 0, 0, ${(1 - i / 8) ** 2})`);
  context.fillStyle = gradient;
  context.fillRect(0, 0, 128, 128);
  const material = new MeshBasicMaterial({ map: new CanvasTexture(canvas), transparent: true, depthWrite: false });
  const disc = new Mesh(new PlaneGeometry(3.4, 3.4), material);
  disc.rotation.x = -Math.PI / 2;
  return disc;
}
