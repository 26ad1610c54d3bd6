// Reliability: of those who were given so much, how many it came true for.

import { draw } from "./dom.js";
import { HEIGHT, WIDTH, figure, path, scale, ticks, words } from "./plot.js";
import { percent } from "./words.js";

const LEFT = 46;
const BOTTOM = HEIGHT - 40;
const TOP = 8;
const RIGHT = WIDTH - 10;
const TITLE = "Predicted and observed";

export function reliability(bins) {
  const known = bins.filter((each) => each.count > 0);
  if (!known.length) return figure(TITLE, "Not enough examples yet.");
  const most = Math.max(...known.flatMap((each) => [each.predicted, each.observed]), 0.01);
  const marks = ticks(0, Math.min(1, most * 1.08), 4);
  const high = Math.min(1, Math.max(most * 1.08, marks.at(-1)));
  const x = scale(0, high, LEFT, RIGHT);
  const y = scale(0, high, BOTTOM, TOP);
  const points = known.map((each) => [x(each.predicted), y(each.observed)]);
  return figure(
    TITLE,
    told(known),
    ...marks.flatMap((mark) => [
      draw("line", { class: "grid", x1: LEFT, x2: RIGHT, y1: y(mark), y2: y(mark) }),
      words(LEFT - 6, y(mark) + 4, short(mark)),
      words(x(mark), BOTTOM + 17, short(mark), "tick", "middle"),
    ]),
    draw("line", { class: "perfect", x1: x(0), y1: y(0), x2: x(high), y2: y(high) }),
    draw("path", { class: "joined", d: path(points) }),
    ...points.map(([cx, cy]) => draw("circle", { class: "dot", cx: cx.toFixed(1), cy: cy.toFixed(1), r: 4.5 })),
    words((LEFT + RIGHT) / 2, HEIGHT - 6, "predicted →", "tick", "middle"),
    words(LEFT + 6, TOP + 10, "↑ observed", "tick", "start"),
  );
}

function short(share) {
  return `${Math.round(share * 1000) / 10} %`;
}

function told(bins) {
  const count = bins.reduce((sum, each) => sum + each.count, 0);
  const mean = (name) => percent(bins.reduce((sum, each) => sum + each[name] * each.count, 0) / count);
  return `Of the latest ${count.toLocaleString()} examples ${mean("predicted")} were predicted, ${mean("observed")} observed. Dots on the broken line mean: as predicted.`;
}
