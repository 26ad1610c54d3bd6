// Making elements. Text is always text: nothing that a customer's id holds can become markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function make(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function find(id) {
  return document.getElementById(id);
}

export function show(element, visible) {
  element.hidden = !visible;
}

// Whether someone is at it. A tap on a touch screen leaves :hover behind, so that counts only for what can hover.
export function reading(element) {
  const hovered = matchMedia("(hover: hover)").matches && element.matches(":hover");
  return hovered || element.contains(document.activeElement);
}
