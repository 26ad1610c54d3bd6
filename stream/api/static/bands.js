// Who is in which band of an outcome.

import { get } from "./api.js";
import { glyph, pill } from "./band.js";
import { find, make, show } from "./dom.js";
import { all, load, outcome } from "./outcomes.js";
import { capital, percent, serverNow, since, spaced, span } from "./words.js";

const PAGE = 25;
const REFRESH_MS = 20_000;

export class Bands {
  constructor() {
    this.band = "very high";
    this.next = null;
    this.number = 0;
    this.chooser = find("bands-outcome");
    this.order = find("bands-order");
    this.chooser.addEventListener("change", () => this.show());
    this.order.addEventListener("change", () => this.list());
    find("bands-more").addEventListener("click", () => this.list(true));
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

  async list(more = false) {
    const name = this.chooser.value;
    const info = outcome(name);
    const number = ++this.number;
    const asked = new URLSearchParams({ order: this.order.value, limit: PAGE });
    if (more && this.next) asked.set("cursor", this.next);
    let found;
    try {
      found = await get(`/v1/bands/${encodeURIComponent(name)}/${this.band.replace(" ", "-")}?${asked}`);
    } catch {
      return;
    }
    if (number !== this.number) return;
    this.next = found.next;
    const rows = found.customers.map((each) =>
      make(
        "tr",
        {},
        make("td", {}, make("a", { href: `#customer=${encodeURIComponent(each.customer_id)}` }, each.customer_id)),
        make("td", { class: "number" }, percent(each.probability)),
        make("td", {}, `since ${since(each.since)}`, make("small", {}, ` ${span(serverNow() - Date.parse(each.since))}`)),
        make("td", {}, pill(each.from, info.kind)),
      ),
    );
    const place = find("bands-list");
    if (more) place.append(...rows);
    else place.replaceChildren(...rows);
    if (more) rows[0]?.querySelector("a")?.focus();
    find("bands-caption").textContent = `Customers whose ${spaced(name)} is ${this.band}`;
    show(find("bands-box"), place.children.length > 0);
    show(find("bands-empty"), place.children.length === 0);
    show(find("bands-more"), this.next !== null);
  }
}
