// Who is in which band of an outcome.

import { Problem, get } from "./api.js";
import { glyph, pill } from "./band.js";
import { find, make, reading, show } from "./dom.js";
import { all, load, outcome } from "./outcomes.js";
import { capital, percent, serverNow, since, spaced, span } from "./words.js";

const PAGE = 25;
const MOST = 1000; // in one answer
const REFRESH_MS = 20_000;
const PATIENCE_MS = 400; // so long may rows of the list before stand

export class Bands {
  constructor() {
    this.band = "very high";
    this.next = null;
    this.number = 0;
    this.asking = null;
    this.chooser = find("bands-outcome");
    this.order = find("bands-order");
    this.chooser.addEventListener("change", () => this.show());
    this.order.addEventListener("change", () => this.list());
    find("bands-more").addEventListener("click", () => this.more());
    setInterval(() => this.recount(), REFRESH_MS);
  }

  start() {
    this.chooser.replaceChildren(...all().map((each) => make("option", { value: each.outcome }, capital(spaced(each.outcome)))));
    this.show();
  }

  async recount() {
    if (document.hidden || !all().length) return;
    try {
      await load();
    } catch {
      return; // the state above says what is wrong
    }
    this.spread();
    if (this.asking === null && !this.held()) this.again();
  }

  held() {
    return reading(find("bands-box")) || reading(find("bands-more"));
  }

  show() {
    this.spread();
    this.list();
  }

  spread() {
    const info = outcome(this.chooser.value);
    const most = Math.max(...info.bands.map((each) => each.customers), 1);
    const place = find("bands-spread");
    const focused = place.contains(document.activeElement);
    place.className = `spread ${info.kind === "absence" ? "risk" : "chance"}`;
    place.replaceChildren(
      ...info.bands.map((each, number) => {
        const button = make(
          "button",
          { type: "button", class: `slot level-${number}`, "aria-pressed": String(each.band === this.band), onclick: () => this.choose(each.band) },
          make("span", { class: "slot-word" }, glyph(each.band), capital(each.band)),
          make("span", { class: "slot-count" }, each.customers.toLocaleString(), make("span", { class: "hidden" }, " customers")),
          make("span", { class: "slot-bar", "aria-hidden": "true" }),
        );
        button.style.setProperty("--part", (each.customers / most).toFixed(3));
        return button;
      }),
    );
    if (focused) place.querySelector('[aria-pressed="true"]')?.focus();
    find("bands-advice").textContent = info.bands.find((each) => each.band === this.band)?.advice ?? "";
  }

  choose(band) {
    this.band = band;
    this.spread();
    find("bands-spread").querySelector('[aria-pressed="true"]')?.focus();
    this.list();
  }

  // Another list than the one on screen, whose rows must not stand for it.
  async list() {
    const number = ++this.number;
    this.asking = number;
    setTimeout(() => this.asking === number && this.blank("Looking …"), PATIENCE_MS);
    try {
      const found = await this.ask(PAGE);
      if (number === this.number) this.fill(found, false);
    } catch (error) {
      const rebuilding = error instanceof Problem && error.body.state === "rebuilding";
      if (number === this.number) this.blank(rebuilding ? error.message : "This list could not be read. It is tried again by itself.");
    } finally {
      if (this.asking === number) this.asking = null;
    }
  }

  async more() {
    if (this.asking !== null) return;
    const number = ++this.number;
    const found = await this.ask(PAGE, this.next).catch(() => null); // the button stays, and can be pressed again
    if (found === null || number !== this.number) return;
    this.fill(found, true);
  }

  // The same list, as long as it is, as of now.
  async again() {
    const number = ++this.number;
    const long = find("bands-list").children.length;
    const found = await this.ask(Math.min(MOST, Math.max(PAGE, long))).catch(() => null);
    if (found === null || number !== this.number || this.held()) return;
    this.fill(found, false);
  }

  ask(limit, cursor = null) {
    const asked = new URLSearchParams({ order: this.order.value, limit });
    if (cursor !== null) asked.set("cursor", cursor);
    return get(`/v1/bands/${encodeURIComponent(this.chooser.value)}/${this.band.replace(" ", "-")}?${asked}`);
  }

  // Words in place of rows.
  blank(text) {
    this.next = null;
    find("bands-list").replaceChildren();
    find("bands-empty").textContent = text;
    show(find("bands-box"), false);
    show(find("bands-empty"), true);
    show(find("bands-more"), false);
  }

  fill(found, more) {
    if (!more && !found.customers.length) {
      this.blank("Nobody is in this band.");
      return;
    }
    this.next = found.next;
    const kind = outcome(found.outcome).kind;
    const rows = found.customers.map((each) => row(each, kind));
    const place = find("bands-list");
    if (more) place.append(...rows);
    else place.replaceChildren(...rows);
    if (more) rows[0]?.querySelector("a")?.focus();
    find("bands-caption").textContent = `Customers whose ${spaced(found.outcome)} is ${found.band}`;
    show(find("bands-box"), true);
    show(find("bands-empty"), false);
    show(find("bands-more"), this.next !== null);
  }
}

function row(each, kind) {
  return make(
    "tr",
    {},
    make("td", {}, make("a", { href: `#customer=${encodeURIComponent(each.customer_id)}` }, each.customer_id)),
    make("td", { class: "number" }, percent(each.probability)),
    make("td", {}, `since ${since(each.since)}`, make("small", {}, ` ${span(serverNow() - Date.parse(each.since))}`)),
    make("td", {}, pill(each.from, kind)),
  );
}
