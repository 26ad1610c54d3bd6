// Per band: the observed rate and its 95 % interval against the band's bounds. All five bands are equally wide.

import { pill } from "./band.js";
import { draw, make } from "./dom.js";
import { scale } from "./plot.js";
import { capital, percent } from "./words.js";

const FEW = 300; // below that an interval says little
const WIDE = 300;
const HIGH = 22;

// 0 at the bottom of very low, 5 at the top of very high.
function place(share, bands) {
  const found = bands.findIndex((band) => share < band.high);
  const number = found < 0 ? bands.length - 1 : found;
  const band = bands[number];
  return number + (share - band.low) / (band.high - band.low);
}

function judged(each) {
  if (!each.count) return { sign: "–", word: "no examples" };
  if (each.count < FEW || each.interval === null) return { sign: "…", word: "few examples yet" };
  const [low, high] = each.interval;
  if (high < each.low) return { sign: "▼", word: "below its bounds", off: true };
  if (low > each.high) return { sign: "▲", word: "above its bounds", off: true };
  return { sign: "✓", word: "within its bounds" };
}

function picture(each, number, bands) {
  const x = scale(0, bands.length, 5, WIDE - 5);
  const at = (share) => x(place(share, bands)).toFixed(1);
  const middle = HIGH / 2;
  return draw(
    "svg",
    { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "rate-line", "aria-hidden": "true" },
    draw("rect", { class: "slot-own", x: x(number), y: 1, width: x(number + 1) - x(number), height: HIGH - 2, rx: 4 }),
    ...bands.slice(1).map((_, cut) => draw("line", { class: "grid", x1: x(cut + 1), x2: x(cut + 1), y1: 2, y2: HIGH - 2 })),
    each.interval === null ? null : draw("line", { class: "whisker", x1: at(each.interval[0]), x2: at(each.interval[1]), y1: middle, y2: middle }),
    each.observed === null ? null : draw("circle", { class: "dot", cx: at(each.observed), cy: middle, r: 4.5 }),
  );
}

function bound(share) {
  return `${Math.round(share * 1000) / 10}`;
}

function row(each, number, bands, kind) {
  const { sign, word, off } = judged(each);
  const seen = each.observed === null ? "nothing observed" : `${percent(each.observed)} observed`;
  const between = each.interval === null ? "" : ` (${percent(each.interval[0])} to ${percent(each.interval[1])})`;
  return make(
    "li",
    {},
    pill(each.band, kind),
    make("span", { class: "bounds" }, `${bound(each.low)} to ${bound(each.high)} %`),
    picture(each, number, bands),
    make("span", { class: "what" }, `${seen}${between}, ${each.count.toLocaleString()} ${each.count === 1 ? "example" : "examples"}`),
    make("span", { class: off ? "verdict-word off" : "verdict-word" }, make("span", { "aria-hidden": "true" }, `${sign} `), capital(word)),
  );
}

export function rates(bands, kind) {
  const title = make("h4", {}, "Observed rate per band");
  if (!bands.length) return make("div", { class: "plot-box" }, title, make("p", {}, "Not enough examples yet."));
  return make("div", { class: "plot-box" }, title, make("ol", { class: "rates" }, ...bands.map((each, number) => row(each, number, bands, kind))));
}
