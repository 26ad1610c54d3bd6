// The trend line: probability over time, drawn so that all five bands are equally high.

import { draw, make } from "./dom.js";
import { day, level, percent } from "./words.js";

const WIDTH = 300;
const RIGHT = 262; // where the line ends and the numbers begin
const HEIGHT = 96;
const DAY_MS = 86_400_000;

// 0 at the bottom of very low, 5 at the top of very high.
function height(probability, bands) {
  for (const [number, band] of bands.entries()) {
    if (probability < band.high || number === bands.length - 1) {
      return number + (probability - band.low) / (band.high - band.low);
    }
  }
  return 0;
}

function logit(probability) {
  const inside = Math.min(Math.max(probability, 1e-6), 1 - 1e-6);
  return Math.log(inside / (1 - inside));
}

// Against the last point that is at least a day old: rising, falling, steady, or not enough known.
export function direction(points) {
  const now = points.at(-1);
  const before = points.slice(0, -1);
  const old = before.findLast((point) => now.time - point.time >= DAY_MS) ?? before[0];
  if (!old || before.length < 2) return "not enough yet";
  const moved = logit(now.probability) - logit(old.probability);
  if (Math.abs(moved) < 0.2) return "steady";
  return moved > 0 ? "rising" : "falling";
}

// The bands that the line touches, and at least two, so that it does not look flat.
function reach(points, bands) {
  const heights = points.map((point) => height(point.probability, bands));
  const low = Math.floor(Math.min(...heights));
  const high = Math.min(bands.length, Math.floor(Math.max(...heights)) + 1);
  if (high - low >= 2) return [low, high];
  return high < bands.length ? [low, high + 1] : [low - 1, high];
}

export function trend(given, info, band) {
  const points = given.map((point) => ({ time: Date.parse(point.at), probability: point.probability }));
  const first = points[0];
  const last = points.at(-1);
  const word = direction(points);
  const [low, high] = reach(points, info.bands);
  const long = Math.max(1, last.time - first.time);
  const x = (point) => (points.length < 2 ? RIGHT - 6 : 4 + ((point.time - first.time) / long) * (RIGHT - 10));
  const y = (tall) => HEIGHT - 3 - ((tall - low) / (high - low)) * (HEIGHT - 6);
  const at = (point) => `${x(point).toFixed(1)} ${y(height(point.probability, info.bands)).toFixed(1)}`;
  // A touchpoint makes a score jump; between two it hardly moves. So each is held until the next, but for
  // the last stretch, whose end is known.
  const line = points
    .map((point, number) => {
      if (number === 0) return `M${at(point)}`;
      return number < points.length - 1 ? `H${x(point).toFixed(1)}L${at(point)}` : `L${at(point)}`;
    })
    .join("");
  const here = Math.max(0, level(band));
  const cuts = info.bands.slice(low, high - 1).map((each, number) => ({ at: y(low + number + 1), probability: each.high }));
  const picture = draw(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "trend-line", "aria-hidden": "true" },
    here >= low && here < high ? draw("rect", { class: "stripe", x: 0, width: RIGHT, y: y(here + 1), height: y(here) - y(here + 1), rx: 3 }) : null,
    ...cuts.flatMap((cut) => [
      draw("line", { class: "cut", x1: 0, x2: RIGHT, y1: cut.at, y2: cut.at }),
      draw("text", { class: "tick", x: WIDTH, y: cut.at + 4 }, `${Math.round(cut.probability * 1000) / 10} %`),
    ]),
    points.length > 1 ? draw("path", { class: "area", d: `${line}L${x(last).toFixed(1)} ${HEIGHT}L${x(first).toFixed(1)} ${HEIGHT}Z` }) : null,
    draw("path", { class: "line", d: line }),
    draw("circle", { class: "end", cx: x(last), cy: y(height(last.probability, info.bands)), r: 4 }),
  );
  const told =
    points.length < 2
      ? `No trend yet: ${percent(last.probability)} now.`
      : `From ${percent(first.probability)} on ${day(first.time)} to ${percent(last.probability)} now: ${word}.`;
  return make(
    "figure",
    { class: "trend" },
    picture,
    make("figcaption", {}, make("span", { class: "hidden" }, told), axis(points, first, word)),
  );
}

function axis(points, first, word) {
  const sign = { rising: "↗", falling: "↘", steady: "→" }[word];
  return make(
    "span",
    { class: "axis", "aria-hidden": "true" },
    make("span", {}, points.length < 2 ? "" : day(first.time)),
    make("span", { class: "direction" }, sign ? `${sign} ${word}` : word),
    make("span", {}, "now"),
  );
}
