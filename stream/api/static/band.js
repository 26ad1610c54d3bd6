// A band: word, shape and colour. Five bars, as many filled as the band is high.

import { draw, make } from "./dom.js";
import { capital, level } from "./words.js";

export function glyph(band) {
  const high = level(band);
  const bars = [0, 1, 2, 3, 4].map((bar) =>
    draw("rect", {
      x: bar * 4, y: 10 - 2 * bar, width: 3, height: 4 + 2 * bar, rx: 1,
      class: bar <= high ? "on" : "off",
    }),
  );
  return draw("svg", { viewBox: "0 0 19 14", class: "glyph", "aria-hidden": "true" }, ...bars);
}

// `kind` decides the colour: what one hopes for is teal, what one fears (an absence) is rust.
export function pill(band, kind) {
  const high = level(band);
  const classes = `band ${kind === "absence" ? "risk" : "chance"} level-${high < 0 ? "none" : high}`;
  return make("span", { class: classes }, high < 0 ? null : glyph(band), capital(band));
}
