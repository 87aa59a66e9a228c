// What the GPU is, or what to do where there is none.

import type { DeviceInfo, Precision } from "isograd";
import { element, make } from "./dom.ts";
import { bytes, count } from "./format.ts";
import type { Device, MissingGpu } from "./messages.ts";

const PRECISIONS: Record<Precision, string> = {
  auto: "automatic",
  f64: "f64, double",
  f32: "f32, single",
  "double-f32": "double-f32, pairs of single: 48 bits",
};

/** Shows the device, and lets only what it can do be chosen. */
export function showDevice(device: Device) {
  element("device-content", HTMLElement).replaceChildren(
    device.found ? describe(device.info) : missing(device.reason, device.message),
  );
  const note = element("backend-note", HTMLElement);
  if (device.found) {
    note.textContent = `GPU: ${device.info.name}. Auto takes what is faster.`;
    for (const option of element("precision", HTMLSelectElement).options) {
      option.disabled = option.value !== "auto" && !device.info.precisions.includes(option.value as Precision);
    }
    return;
  }
  const gpu = element("backend", HTMLFieldSetElement).querySelector<HTMLInputElement>("[value=gpu]");
  if (gpu) gpu.disabled = true;
  element("precision", HTMLSelectElement).disabled = true;
  note.replaceChildren("No WebGPU here, so the CPU solves. ", make("a", ["What to do"], { href: "#device" }));
}

function describe(info: DeviceInfo): Node {
  const kinds = [info.kind, info.vendor, info.architecture].filter((text) => text && text !== "unknown");
  const facts: [string, string][] = [
    ["Name", info.name],
    ["Kind, vendor, architecture", kinds.join(", ") || "not told by the browser"],
    ["Through", info.driver || "WebGPU"],
    ["Precisions", info.precisions.map((precision) => PRECISIONS[precision]).join("; ")],
    ["Features", [...info.features].sort().join(", ") || "none beyond the standard's"],
  ];
  const limits = Object.entries(info.limits).map(([name, value]) =>
    make("tr", [
      make("th", [words(name)], { scope: "row" }),
      make("td", [/(Buffer|Binding|Storage)Size$/.test(name) ? bytes(value) : count(value)]),
    ]),
  );
  return make(
    "div",
    [
      make(
        "dl",
        facts.map(([term, fact]) => make("div", [make("dt", [term]), make("dd", [fact])])),
      ),
      make("table", [make("caption", ["Limits"]), make("tbody", limits)]),
    ],
    { className: "facts" },
  );
}

function list(items: string[]): Node {
  return make(
    "ul",
    items.map((item) => make("li", [item])),
  );
}

/** `maxBufferSize` as "max buffer size". */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

const CAUSES: Record<MissingGpu, string> = {
  insecure: "Browsers give WebGPU to pages over https and on localhost only, and this page came over plain http.",
  unsupported: "This browser has no WebGPU, or it is switched off.",
  "no-adapter":
    "This browser knows WebGPU but offers no graphics device for it: the driver may be blocked, too old or missing.",
};

function missing(reason: MissingGpu, message: string): Node {
  const advice: [string, string[]][] = [
    [
      "Chrome, Edge, Opera",
      [
        "Version 113 or later on Windows, macOS and ChromeOS, 121 on Android.",
        "In the settings under System: use graphics acceleration.",
        "On Linux, or if chrome://gpu says that WebGPU is blocked: chrome://flags/#enable-unsafe-webgpu and #enable-vulkan.",
      ],
    ],
    [
      "Safari",
      ["Version 26 or later, on macOS 26, iOS 26 and iPadOS 26.", "Before that: Settings, Feature flags, WebGPU."],
    ],
    [
      "Firefox",
      [
        "Version 141 or later on Windows, 145 on macOS with Apple silicon.",
        "Elsewhere: dom.webgpu.enabled in about:config.",
      ],
    ],
  ];
  if (reason === "insecure")
    advice.unshift(["This page", ["Open it by https, or from a server on this machine by http://localhost."]]);
  return make("div", [
    make("p", [make("strong", ["There is no WebGPU here. "]), CAUSES[reason]]),
    make("p", [
      "All of this page works without it: the CPU solves, in double precision. Only the comparison with the GPU has one column.",
    ]),
    make(
      "div",
      advice.map(([title, items]) => make("div", [make("h3", [title]), list(items)])),
      { className: "missing" },
    ),
    make("p", [`What was found: ${message}.`.replace(/\.\.$/, ".")], { className: "note" }),
  ]);
}
