// What the pictures of numbers have in common: scales, ticks, labels that do not cover each other.

import { draw, make } from "./dom.js";

export const WIDTH = 360;
export const HEIGHT = 230;

export function scale(low, high, begin, end) {
  const long = high - low || 1;
  return (value) => begin + ((value - low) / long) * (end - begin);
}

// Round numbers from `low` to `high`, about as many as asked for.
export function ticks(low, high, number) {
  const rough = (high - low || 1) / number;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = size * ([1, 2, 5].find((each) => each * size >= rough) ?? 10);
  const found = [];
  for (let place = Math.ceil(low / step - 1e-9); place * step <= high + step * 1e-9; place += 1) found.push(place * step);
  return found;
}

// Moves labels ({y}) apart until each has room, within the picture.
export function apart(labels, room, low, high) {
  const sorted = [...labels].sort((one, other) => one.y - other.y);
  for (const [place, label] of sorted.entries()) {
    const above = place ? sorted[place - 1].y + room : low;
    label.y = Math.max(label.y, above);
  }
  for (let place = sorted.length - 1; place >= 0; place -= 1) {
    const below = place < sorted.length - 1 ? sorted[place + 1].y - room : high;
    sorted[place].y = Math.min(sorted[place].y, below);
  }
  return labels;
}

export function path(points) {
  return points.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

export function words(x, y, text, kind = "tick", anchor = "end") {
  return draw("text", { class: `${kind} at-${anchor}`, x: x.toFixed(1), y: y.toFixed(1) }, text);
}

// A picture, and a sentence that says what is in it.
export function figure(title, told, ...parts) {
  const picture = parts.length ? draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "plot", "aria-hidden": "true" }, ...parts) : null;
  return make("figure", { class: "plot-box" }, make("h4", {}, title), picture, make("figcaption", {}, told));
}
