// A headless Chromium with WebGPU, and a server of folders on this machine; for the tests of the package and of the page.
import { createServer } from "node:http";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".json": "application/json",
  ".wasm": "application/wasm", ".svg": "image/svg+xml", ".png": "image/png" };

/** The software driver of Chromium counts as WebGPU only with the last of these; CHROMIUM_FLAGS has what a graphics processor takes. */
const FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", ...(process.env.CHROMIUM_FLAGS ?? "").split(" ").filter(Boolean), "--enable-unsafe-webgpu"];

/** Serves folders by the first part of a path, `""` for the rest. Returns the address and a function that ends it. */
export async function serve(folders) {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    const [first, ...rest] = path.split("/").slice(1);
    let [folder, name] = first in folders ? [folders[first], rest.join("/")] : [folders[""], path];
    if (name === "" || name.endsWith("/")) name += "index.html";
    try {
      const body = folder === undefined ? undefined : await readFile(join(folder, name));
      response.writeHead(body ? 200 : 404, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}`, close: () => new Promise((resolve) => server.close(resolve)) };
}

/** Starts the browser with a profile of its own. `gpu: false` leaves WebGPU out. */
export async function launch({ gpu = true } = {}) {
  const profile = await mkdtemp(join(tmpdir(), "isograd-chromium-"));
  const args = gpu ? FLAGS : [...FLAGS.slice(0, -1), "--disable-features=WebGPU,WebGPUService"];
  const options = { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args, headless: true, timeout: 60_000 };
  const context = await chromium.launchPersistentContext(profile, options);
  context.setDefaultTimeout(120_000);
  return {
    context,
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** A page whose errors, those on its console included, are collected. */
export async function open(browser, address) {
  const page = await browser.context.newPage();
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(address);
  return { page, errors };
}
