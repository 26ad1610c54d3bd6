// One customer: per outcome the band, the probability, the trend, what to do, and why.

import { Problem, get } from "./api.js";
import { pill } from "./band.js";
import { find, make } from "./dom.js";
import { outcome } from "./outcomes.js";
import { trend } from "./trend.js";
import { about, age, capital, cause, moment, percent, serverNow, signed, since, spaced } from "./words.js";

const REFRESH_MS = 20_000; // silence counts too
const REASONS = 5;
const NOTHING = 0.005; // so little is there for the sum alone

export class Card {
  constructor() {
    this.customer = null;
    this.number = 0;
    this.timer = null;
    this.decided = null;
    this.frame = null;
    setInterval(() => this.tick(), 1000);
  }

  // Show a customer; null for none. Returns when it is shown.
  async open(customer) {
    this.customer = customer;
    this.decided = null;
    find("customer-title").textContent = customer ?? "Who is calling?";
    find("customer-title").toggleAttribute("data-customer", customer !== null);
    document.title = customer === null ? "bandshift" : `${customer} · bandshift`;
    const body = find("customer-body");
    body.className = "blank";
    if (customer === null) {
      body.replaceChildren(make("p", {}, "Type a customer’s id above, or pick someone who just moved."));
      return;
    }
    body.replaceChildren(make("p", {}, "Looking …"));
    this.frame = null;
    await this.refresh();
  }

  // Something happened to this customer: look again, but not for every one of a burst.
  touch() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), 250);
  }

  async refresh() {
    clearTimeout(this.timer);
    const customer = this.customer;
    if (customer === null) return;
    const number = ++this.number;
    const asked = new URLSearchParams({ id: customer }); // in a path, ids such as ".." would be lost
    let shown;
    try {
      const [found, history] = await Promise.all([get(`/v1/customer?${asked}`), get(`/v1/customer/bands?${asked}&limit=12`)]);
      shown = () => this.show(found, history);
    } catch (error) {
      shown = () => this.fail(error);
    }
    if (number !== this.number) return; // another was asked for meanwhile
    shown();
    this.timer = setTimeout(() => this.refresh(), REFRESH_MS);
  }

  fail(error) {
    if (this.decided !== null && !(error instanceof Problem)) return; // the state above says what is wrong
    const unscored = error instanceof Problem && error.body.state === "unscored";
    const body = find("customer-body");
    body.className = "blank";
    this.decided = null;
    this.frame = null;
    body.replaceChildren(
      unscored
        ? make("p", { class: "unscored" }, make("strong", {}, "Unscored."), " Nothing of this customer has been scored yet. That says nothing about any probability.")
        : make("p", {}, error instanceof Problem ? error.message : "The server does not answer. The customer is shown as soon as it does."),
    );
  }

  // The frame stays while its contents change: who reads the history keeps the focus, and it stays open.
  show(found, history) {
    const body = find("customer-body");
    if (this.frame === null) {
      this.frame = {
        facts: make("p", { class: "facts" }),
        outcomes: make("div", { class: "outcomes" }),
        changes: make("ol", {}),
      };
      const details = make("details", { class: "history" }, make("summary", {}, "History of bands"), this.frame.changes);
      body.className = "card";
      body.replaceChildren(this.frame.facts, this.frame.outcomes, details);
    }
    const at = Math.max(...found.outcomes.map((each) => Date.parse(each.decided.at)));
    this.decided = { at, fetched: serverNow(), asOf: Date.parse(found.as_of), live: found.live };
    this.frame.facts.replaceChildren(
      make("span", { id: "customer-age", title: moment(at) }),
      make("span", {}, basis(found.outcomes)),
      found.live ? "" : make("span", {}, `History: as of ${moment(found.as_of)}`),
    );
    this.frame.outcomes.replaceChildren(...found.outcomes.map((each) => panel(each, outcome(each.outcome))));
    this.frame.changes.replaceChildren(...history.changes.map(change));
    this.tick();
  }

  // The age of the score grows before one's eyes.
  tick() {
    const place = find("customer-age");
    if (!place || this.decided === null) return;
    const { at, fetched, asOf, live } = this.decided;
    const now = live ? asOf + (serverNow() - fetched) : asOf;
    place.textContent = `Last scored ${age(now - at)}`;
  }
}

// What the scores rest on; one sentence while it is the same for all.
function basis(outcomes) {
  const name = (each) => (each.basis === "prior" ? "the documented prior" : `the ${each.basis} model, version ${each.model_version}`);
  const [first] = outcomes;
  if (outcomes.every((each) => name(each) === name(first))) return `Scored by ${name(first)}`;
  return `Scored by ${outcomes.map((each) => `${name(each)} (${spaced(each.outcome)})`).join(", ")}`;
}

function panel(now, info) {
  const title = `outcome-${now.outcome}`;
  const band = now.band ?? now.band_now;
  return make(
    "article",
    { class: `outcome ${info.kind === "absence" ? "risk" : "chance"}`, "aria-labelledby": title },
    make("h2", { id: title }, capital(spaced(now.outcome)), make("small", {}, about(info))),
    make("div", { class: "verdict" }, pill(band, info.kind), make("span", { class: "probability" }, percent(now.probability))),
    make("p", { class: "since" }, standing(now)),
    led(now),
    trend(now.trend, info, band),
    make("div", { class: "todo" }, make("h3", {}, "What to do"), make("p", {}, now.advice)),
    reasons(now.reasons, info),
  );
}

function standing(now) {
  const parts = [];
  if (now.band !== null && now.band !== now.band_now) parts.push(`About to become ${now.band_now}`);
  if (now.since !== null) {
    parts.push(`Since ${since(now.since)}`);
    parts.push(now.came_from === "unscored" ? "the first score" : `${now.came_from} before`);
  }
  return parts.join(" · ") || "\u00a0";
}

const MOVED = { events: "touchpoints", silence: "silence", model: "what was learned" };

// What led here from the band before, in log-odds: by sign, shape and word, strongest first.
function led(now) {
  if (now.moved === null) return null;
  const parts = Object.entries(MOVED)
    .map(([name, words]) => ({ words, by: now.moved[name] }))
    .filter((part) => Math.abs(part.by) >= 0.05)
    .sort((one, other) => Math.abs(other.by) - Math.abs(one.by));
  if (!parts.length) return null;
  return make(
    "p",
    { class: "led", title: "in log-odds" },
    "Since the change before: ",
    parts.map((part, number) => make("span", {}, `${number ? ", " : ""}${part.words} `, make("span", { "aria-hidden": "true" }, part.by > 0 ? "▲" : "▼"), signed(part.by))),
  );
}

function reasons(given, info) {
  const most = Math.max(...given.map((each) => Math.abs(each.contribution)), 1e-9);
  const side = (sign, words) => {
    const found = given
      .filter((each) => Math.sign(each.contribution) === sign)
      .filter((each) => each.family !== "combined" || Math.abs(each.contribution) >= NOTHING)
      .sort((one, other) => Math.abs(other.contribution) - Math.abs(one.contribution))
      .slice(0, REASONS);
    if (!found.length) return [];
    return [
      make("h3", {}, words),
      make("ul", { class: sign > 0 ? "reasons up" : "reasons down" }, ...found.map((each) => reason(each, most))),
    ];
  };
  const risk = info.kind === "absence";
  return make(
    "div",
    { class: "why" },
    ...side(1, risk ? "Raises the risk" : "Speaks for it"),
    ...side(-1, risk ? "Lowers the risk" : "Speaks against it"),
  );
}

function reason(each, most) {
  const bar = make("span", { class: "bar", "aria-hidden": "true" });
  bar.style.setProperty("--part", (Math.abs(each.contribution) / most).toFixed(3));
  return make("li", {}, make("strong", {}, each.family === "combined" ? "Together" : capital(each.family)), bar, make("span", { class: "what" }, each.text));
}

function change(each) {
  const kind = outcome(each.outcome).kind;
  const touched = { cause: each.cause, touchpoint: { type: each.touchpoint_type } };
  return make(
    "li",
    {},
    make("time", { datetime: each.decided_at }, moment(each.decided_at)),
    make("span", { class: "name" }, capital(spaced(each.outcome))),
    make("span", { class: "step" }, pill(each.from, kind), make("span", { class: "to" }, make("span", { class: "hidden" }, "to"), "→"), pill(each.to, kind)),
    make("span", { class: "cause" }, cause(touched)),
  );
}
