// Log-loss over log time: prior, champion, base rate and challengers. Lower is better.

import { draw } from "./dom.js";
import { HEIGHT, WIDTH, apart, figure, path, scale, ticks, words } from "./plot.js";
import { day } from "./words.js";

const LEFT = 42;
const RIGHT = WIDTH - 106;
const TOP = 10;
const BOTTOM = HEIGHT - 28;
const TITLE = "Log-loss over log time";
const NAMED = { champion: "champion", prior: "prior", base_rate: "base rate" };
const OTHERS = 4; // kinds of line for challengers

// Base rate first, so that the champion is drawn over all others.
function names(series) {
  const found = new Set(series.flatMap((point) => Object.keys(point)));
  for (const each of ["at", "count", "positives", ...Object.keys(NAMED)]) found.delete(each);
  const others = [...found].sort();
  return ["base_rate", ...others, "prior", "champion"].map((key) => ({
    key,
    word: NAMED[key] ?? key,
    kind: key in NAMED ? key.replace("_", "-") : `other-${others.indexOf(key) % OTHERS}`,
  }));
}

export function losses(series) {
  const lines = names(series)
    .map((line) => ({ ...line, points: series.filter((point) => typeof point[line.key] === "number").map((point) => [Date.parse(point.at), point[line.key]]) }))
    .filter((line) => line.points.length);
  const times = series.map((point) => Date.parse(point.at));
  if (!lines.length || series.length < 2) return figure(TITLE, "Not enough examples yet.");
  const values = lines.flatMap((line) => line.points.map(([, value]) => value));
  const low = Math.min(...values);
  const high = Math.max(...values);
  const edge = (high - low || high || 1) * 0.06;
  const x = scale(times[0], times.at(-1), LEFT, RIGHT);
  const y = scale(low - edge, high + edge, BOTTOM, TOP);
  const marks = ticks(low - edge, high + edge, 4);
  const drawn = lines.map((line) => ({ ...line, points: line.points.map(([time, value]) => [x(time), y(value)]) }));
  const labels = apart(drawn.map((line) => ({ line, y: line.points.at(-1)[1] })), 15, TOP + 4, BOTTOM);
  return figure(
    TITLE,
    told(lines),
    ...marks.flatMap((mark) => [
      draw("line", { class: "grid", x1: LEFT, x2: RIGHT, y1: y(mark), y2: y(mark) }),
      words(LEFT - 6, y(mark) + 4, Number(mark.toPrecision(3)).toString()),
    ]),
    words(LEFT, HEIGHT - 8, day(times[0]), "tick", "start"),
    words(RIGHT, HEIGHT - 8, day(times.at(-1))),
    ...drawn.map((line) => draw("path", { class: `loss ${line.kind}`, d: path(line.points) })),
    ...labels.flatMap((label) => {
      const [endX, endY] = label.line.points.at(-1);
      return [
        draw("path", { class: `loss ${label.line.kind} lead`, d: path([[Math.max(endX, RIGHT) + 2, endY], [RIGHT + 10, label.y]]) }),
        draw("circle", { class: `loss-end ${label.line.kind}`, cx: endX.toFixed(1), cy: endY.toFixed(1), r: 2.5 }),
        words(RIGHT + 13, label.y + 4, label.line.word, label.line.key === "champion" ? "tick strong-word" : "tick", "start"),
      ];
    }),
  );
}

function told(lines) {
  const latest = lines
    .filter((line) => line.key in NAMED)
    .reverse()
    .map((line) => `${line.word} ${line.points.at(-1)[1].toFixed(3)}`);
  return `Lower is better. Latest: ${latest.join(", ")}.`;
}
