// Meshes from files, good and broken.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { browser, choose, LONG, restate, state } from "./browser/page.mjs";

const TETRAHEDRON = `OFF
4 4 6
1 1 1
1 -1 -1
-1 1 -1
-1 -1 1
3 0 1 2
3 0 3 1
3 0 2 3
3 1 3 2
`;
const BROKEN = "v 0 0 0\nv 1 0 0\nv 0 one 0\nf 1 2 3\n";

const file = (name, text) => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });
const open = browser({ webgpu: false });

test("a file of the right kind is shown and solved", { timeout: LONG }, () =>
  open(async (page) => {
    await restate(page, () => page.setInputFiles("#file", file("tetrahedron.off", TETRAHEDRON)));
    assert.equal(await page.textContent("#title"), "tetrahedron.off");
    assert.match(await page.textContent("#size"), /^4 vertices, 4 faces/);
    await choose(page, "pace", "Full speed");
    await page.click("#start");
    await state(page, "done", LONG);
  }),
);

test("a broken file says which line, and all else stays", { timeout: LONG }, () =>
  open(async (page) => {
    const title = await page.textContent("#title");
    await page.setInputFiles("#file", file("broken.obj", BROKEN));
    const error = page.locator("#file-error");
    await error.filter({ hasText: "broken.obj" }).waitFor();
    assert.match(await error.textContent(), /line 3/);
    assert.equal(await error.getAttribute("role"), "alert", "it is announced");
    assert.equal(await page.getAttribute("#file", "aria-describedby"), "file-error");
    assert.equal(await page.textContent("#title"), title);
    await choose(page, "pace", "Full speed");
    await page.click("#start");
    await state(page, "done", LONG);
    await restate(page, () => page.setInputFiles("#file", file("tetrahedron.off", TETRAHEDRON)));
    assert.equal(await error.textContent(), "", "the message goes with its cause");
  }),
);

test("a file of another kind, an empty one and one without faces are refused", { timeout: LONG }, () =>
  open(async (page) => {
    for (const [name, text] of [
      ["picture.png", "no mesh"],
      ["empty.off", ""],
      ["points.obj", "v 0 0 0\nv 1 0 0\n"],
    ]) {
      await page.setInputFiles("#file", file(name, text));
      await page.waitForFunction(() => document.getElementById("file-error").textContent);
      await page.evaluate(() => (document.getElementById("file-error").textContent = ""));
    }
    assert.match(await page.textContent("#title"), /^Icosphere/);
  }),
);

test("a gzipped file is unpacked, and one that was cut is refused", { timeout: LONG }, () =>
  open(async (page) => {
    const packed = (bytes) => ({ name: "tetrahedron.off.gz", mimeType: "application/gzip", buffer: bytes });
    const bytes = gzipSync(TETRAHEDRON);
    await restate(page, () => page.setInputFiles("#file", packed(bytes)));
    assert.match(await page.textContent("#size"), /^4 vertices, 4 faces/);
    await page.setInputFiles("#file", packed(bytes.subarray(0, bytes.length / 2)));
    await page.locator("#file-error").filter({ hasText: /tetrahedron\.off\.gz.*cut/ }).waitFor();
    assert.match(await page.textContent("#size"), /^4 vertices, 4 faces/);
  }),
);

test("an energy that the mesh does not have is refused, and the one on show stays", { timeout: LONG }, () =>
  open(async (page) => {
    // Its vertices have three triangles each, too few to bend.
    await restate(page, () => page.setInputFiles("#file", file("tetrahedron.off", TETRAHEDRON)));
    await page.selectOption("#energy", "developable");
    await page.locator("#energy-error").filter({ hasText: "no vertex lies inside" }).waitFor();
    assert.equal(await page.inputValue("#energy"), "smooth");
    assert.match(await page.textContent("#size"), /^4 vertices/);
  }),
);

test("a file can be dropped on the page", { timeout: LONG }, () =>
  open(async (page) => {
    await restate(page, () =>
      page.evaluate((text) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([text], "dropped.off"));
        for (const type of ["dragover", "drop"]) {
          document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
        }
      }, TETRAHEDRON),
    );
    assert.equal(await page.textContent("#title"), "dropped.off");
  }),
);
