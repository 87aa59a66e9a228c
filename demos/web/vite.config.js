import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  // Relative addresses: the built page works in any folder of any server.
  base: "./",
  // The package is built from this repository, not fetched; an alias lets `npm ci` run before it is.
  resolve: { alias: { isograd: at("../../web/pkg") } },
  worker: { format: "es" },
  server: { host: "127.0.0.1", fs: { allow: [at("."), at("../../web/pkg")] } },
  preview: { host: "127.0.0.1" },
  build: { target: "es2022", chunkSizeWarningLimit: 800 },
});
