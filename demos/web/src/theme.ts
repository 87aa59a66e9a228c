// Light or dark: as the system says, or as chosen here.

import { element } from "./dom.ts";

type Choice = "system" | "light" | "dark";
const CHOICES: readonly Choice[] = ["system", "light", "dark"];
const KEY = "isograd-theme";

/** Sets the theme up; `changed` hears of each change, and of the first theme. */
export function theme(changed: (dark: boolean) => void) {
  const button = element("theme", HTMLButtonElement);
  const system = matchMedia("(prefers-color-scheme: dark)");
  let choice = stored();
  const apply = () => {
    const dark = choice === "dark" || (choice === "system" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = `Theme: ${choice}`;
    changed(dark);
  };
  button.addEventListener("click", () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length]!;
    store(choice);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

// Browsers may refuse storage to a page; then the choice lasts as long as the page does.
function stored(): Choice {
  try {
    return CHOICES.find((choice) => choice === localStorage.getItem(KEY)) ?? "system";
  } catch {
    return "system";
  }
}

function store(choice: Choice) {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    return;
  }
}
