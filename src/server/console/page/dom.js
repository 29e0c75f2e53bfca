// Elements, made and kept. Text gets into the page here, and only as text: what it says is never
// looked at for markup.

// el("td", {class: "number", onclick: f}, "text", child): attributes by name, listeners by "on…";
// false and undefined leave an attribute out.
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

export const svg = (tag, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

export const byId = (id) => document.getElementById(id);

// Touches the page only when something is new, so that selections and screen readers are left alone.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

// Makes the children of `parent` those of `items`, in order: an element that is there for a key
// stays, with its focus; others are made and removed. `make(item)` returns {element, update(item)}.
export function reconcile(parent, items, keyOf, make) {
  const before = parent.kept ?? new Map();
  const after = new Map();
  let place = parent.firstChild;
  if (before.size === 0) parent.replaceChildren();
  for (const item of items) {
    const key = keyOf(item);
    const kept = before.get(key) ?? make(item);
    kept.update(item);
    after.set(key, kept);
    if (before.size === 0) parent.append(kept.element);
    else if (kept.element !== place) parent.insertBefore(kept.element, place);
    else place = place.nextSibling;
  }
  for (const [key, kept] of before) if (!after.has(key)) kept.element.remove();
  parent.kept = after;
}

// Says something to who does not see it.
export function announce(text) {
  byId("announcer").textContent = text;
}
