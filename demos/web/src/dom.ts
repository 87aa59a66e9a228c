// Elements of index.html by id, checked: a page that lacks one fails at once and says which.

/** The element of this id and class. */
export function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return found;
}

/** The value of the radio button that is chosen in a group. */
export function chosen(group: HTMLElement): string {
  return group.querySelector<HTMLInputElement>("input:checked")?.value ?? "";
}

/** A new element with texts and elements in it. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  children: (string | Node)[] = [],
  properties: Partial<HTMLElementTagNameMap[K]> = {},
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
