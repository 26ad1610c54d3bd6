// The models: what each outcome's has learned from, how well it does, and what happened to it.

import { Problem, get } from "./api.js";
import { find, make, show } from "./dom.js";
import { losses } from "./losses.js";
import { outcome } from "./outcomes.js";
import { rates } from "./rates.js";
import { reliability } from "./reliability.js";
import { about, capital, moment, spaced } from "./words.js";

const REFRESH_MS = 20_000;
const BURST_MS = 1_000; // while history is replayed there is news all the time
const SHOWN = 12;
const HAPPENED = {
  drift: ["▲", "drift"],
  promoted: ["★", "another champion"],
  rolled_back: ["↩", "rolled back"],
  refused: ["✕", "not published"],
  adopted: ["✓", "in force"],
};

export class Models {
  constructor() {
    this.open = false;
    this.number = 0;
    this.timer = null;
    this.frames = new Map();
    setInterval(() => document.hidden || this.touch(), REFRESH_MS);
  }

  show(open) {
    const opened = open && !this.open;
    this.open = open;
    if (opened) this.refresh();
  }

  // There may be news: look again, but not for every one of a burst.
  touch() {
    if (!this.open) return;
    this.timer ??= setTimeout(() => this.refresh(), BURST_MS);
  }

  async refresh() {
    clearTimeout(this.timer);
    this.timer = null;
    const number = ++this.number;
    try {
      const { models } = await get("/v1/models");
      const found = await Promise.all(models.map((each) => get(`/v1/models/${encodeURIComponent(each.outcome)}`)));
      if (number === this.number) this.fill(found);
    } catch (error) {
      if (number === this.number && !this.frames.size) this.say(error instanceof Problem ? error.message : "The server does not answer. The models are shown as soon as it does.");
    }
  }

  say(text) {
    find("models-empty").textContent = text;
    show(find("models-empty"), text !== "");
  }

  fill(found) {
    this.say("");
    for (const each of found) {
      if (!this.frames.has(each.outcome)) this.frames.set(each.outcome, frame(each, find("models-list")));
      draw(each, this.frames.get(each.outcome));
    }
  }
}

// The frame stays while its contents change: what is unfolded stays so, and keeps the focus.
function frame(model, place) {
  const info = { ...outcome(model.outcome), kind: model.kind, horizon_days: model.horizon_days };
  const id = `model-${model.outcome}`;
  const parts = Object.fromEntries(["state", "figures", "plots", "drift"].map((name) => [name, make("div", { class: `model-${name}` })]));
  const lists = { versions: make("ol", {}), events: make("ol", {}) };
  place.append(
    make(
      "article",
      { class: `model ${info.kind === "absence" ? "risk" : "chance"}`, "aria-labelledby": id },
      make("h3", { id }, capital(spaced(model.outcome)), make("small", {}, about(info))),
      ...Object.values(parts),
      make("div", { class: "model-lists" }, folded("Versions", lists.versions), folded("What happened", lists.events)),
    ),
  );
  return { ...parts, ...lists, kind: info.kind };
}

function folded(title, list) {
  return make("details", { class: "history" }, make("summary", {}, title), list);
}

function draw(model, place) {
  const learned = model.latest !== null || model.series.length > 0;
  place.state.replaceChildren(...state(model));
  place.figures.replaceChildren(figures(model));
  place.plots.replaceChildren(...(learned ? [losses(model.series), reliability(model.reliability), rates(model.bands, place.kind)] : []));
  place.drift.replaceChildren(...(learned ? drift(model) : []));
  place.versions.replaceChildren(...listed(model.versions, version, "None yet."));
  place.events.replaceChildren(...listed(model.events, happened, "Nothing yet."));
}

function state(model) {
  const decides = model.in_force.some((each) => each > 0);
  const chip = make(
    "span",
    { class: decides ? "basis learned" : "basis" },
    make("span", { "aria-hidden": "true" }, decides ? "● " : "○ "),
    inForce(model.in_force),
  );
  if (model.latest === null) return [chip, make("p", {}, "Nothing has been learned yet: the prior decides until enough is known.")];
  const examples = `${model.examples.toLocaleString()} ${model.examples === 1 ? "example" : "examples"}`;
  const known = `Learned from ${examples}, ${model.positives.toLocaleString()} of them positive; known up to ${moment(model.known_to)}.`;
  const latest = `Latest version ${model.latest}, champion ${model.champion}.`;
  return [chip, make("p", {}, `${known} ${latest}${decides ? "" : " Until it is in force the prior decides."}`)];
}

// "Version 7 decides", or which versions do in how many partitions.
function inForce(versions) {
  const found = new Map();
  for (const each of versions) found.set(each, (found.get(each) ?? 0) + 1);
  const name = (version) => (version === 0 ? "the prior" : `version ${version}`);
  if (found.size < 2) return capital(`${name(versions[0] ?? 0)} decides`);
  const parts = [...found].sort(([one], [other]) => other - one);
  const told = parts.map(([version, number], place) => `${name(version)} in ${number}${place ? "" : ` of ${versions.length} partitions`}`);
  return capital(told.join(", "));
}

function figures(model) {
  const loss = model.log_loss;
  const rows = [
    ["Examples", model.examples.toLocaleString()],
    ["Positive", model.positives.toLocaleString()],
    ["Log-loss of the model", decimals(loss.champion)],
    ["of the prior", decimals(loss.prior)],
    ["of the base rate", decimals(loss.base_rate)],
    ["Calibration error", decimals(model.ece)],
    ["Drift alarms", model.alarms.toLocaleString()],
  ];
  return make("dl", { class: "figures" }, ...rows.filter(([, value]) => value !== null).map(([word, value]) => make("div", {}, make("dt", {}, word), make("dd", {}, value))));
}

function decimals(value) {
  return value === null ? null : value.toFixed(4);
}

function drift(model) {
  const title = make("h4", {}, "Drift");
  if (!model.drift.length) return [title, make("p", {}, make("span", { "aria-hidden": "true" }, "✓ "), "No drift has been seen.")];
  const row = (each) => line(each.at, "▲", each.what === "feature" ? spaced(each.feature ?? "feature") : "log-loss", each.text);
  return [title, make("ol", { class: "alarms" }, ...listed(model.drift, row, ""))];
}

function version(each) {
  const loss = each.log_loss === null ? "" : `, log-loss ${each.log_loss.toFixed(4)}`;
  return line(each.known_to, "", `Version ${each.version}`, `${each.champion}, ${each.examples.toLocaleString()} examples, ${each.positives.toLocaleString()} positive${loss}`);
}

function happened(each) {
  const [sign, word] = HAPPENED[each.kind];
  return line(each.at, sign, capital(word), each.text);
}

function line(at, sign, name, text) {
  return make(
    "li",
    {},
    make("time", { datetime: at }, moment(at)),
    make("strong", {}, sign ? make("span", { "aria-hidden": "true" }, `${sign} `) : null, name),
    make("span", { class: "what" }, text),
  );
}

function listed(rows, shown, none) {
  if (!rows.length) return none ? [make("li", { class: "none" }, none)] : [];
  const more = rows.length - SHOWN;
  return [...rows.slice(0, SHOWN).map(shown), more > 0 ? make("li", { class: "none" }, `and ${more.toLocaleString()} before`) : null].filter(Boolean);
}
