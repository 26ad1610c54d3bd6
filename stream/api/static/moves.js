// Who moved just now. While someone reads the list it is held, so that nothing slips away under the hand.

import { pill } from "./band.js";
import { find, make, reading, show } from "./dom.js";
import { outcome } from "./outcomes.js";
import { age, capital, cause, level, moment, percent, serverNow, spaced } from "./words.js";

const MOST = 60;
const SAY_MS = 8_000;

export class Moves {
  constructor(pick) {
    this.pick = pick;
    this.waiting = [];
    this.paused = false;
    this.shown = [];
    this.live = true;
    this.settled = false;
    this.unsaid = [];
    this.saying = null;
    this.list = find("moves-list");
    this.button = find("moves-pause");
    this.filter = find("moves-outcome");
    this.button.addEventListener("click", () => this.pause(!this.paused));
    this.filter.addEventListener("change", () => this.redraw());
    this.list.addEventListener("pointerleave", () => this.flush());
    this.list.addEventListener("focusout", () => setTimeout(() => this.flush()));
    setInterval(() => this.tick(), 1000);
  }

  setOutcomes(infos) {
    const all = this.filter.options[0];
    this.filter.replaceChildren(all, ...infos.map((each) => make("option", { value: each.outcome }, capital(spaced(each.outcome)))));
  }

  add(data) {
    this.waiting.push(data);
    if (this.waiting.length > MOST) this.waiting.shift();
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.flush();
    });
  }

  pause(paused) {
    this.paused = paused;
    this.button.setAttribute("aria-pressed", String(paused));
    this.button.textContent = paused ? "Resume" : "Pause";
    this.flush();
  }

  held() {
    return this.paused || reading(this.list);
  }

  flush() {
    const held = this.held() && this.shown.length > 0;
    if (!held && this.waiting.length) {
      this.shown = [...this.waiting.reverse(), ...this.shown].slice(0, MOST);
      this.waiting = [];
      this.redraw();
      setTimeout(() => (this.settled = true), 1000); // what was there at the beginning is nothing new
    }
    const place = find("moves-held");
    const number = this.waiting.length;
    show(place, held && (number > 0 || this.paused));
    const more = number >= MOST ? `${MOST} or more` : `${number}`;
    place.textContent = `${this.paused ? "Paused" : "Held while you read"} · ${number ? `${more} new` : "nothing new yet"}`;
  }

  redraw() {
    const wanted = this.filter.value;
    const rows = this.shown.filter((data) => !wanted || data.outcome === wanted);
    this.list.replaceChildren(...rows.map((data) => this.row(data)));
    show(find("moves-empty"), rows.length === 0);
    this.tick();
  }

  row(data) {
    if (data.row) return data.row;
    const kind = outcome(data.outcome).kind;
    const up = level(data.to) > level(data.from);
    const first = data.from === "unscored";
    data.row = make(
      "li",
      { class: this.settled ? "new" : null },
      make(
        "a",
        { href: `#customer=${encodeURIComponent(data.customer_id)}`, class: "move" },
        make("span", { class: "who" }, data.customer_id),
        make("span", { class: "outcome-name" }, capital(spaced(data.outcome))),
        make(
          "span",
          { class: "step" },
          pill(data.from, kind),
          make("span", { class: `to ${up ? "up" : "down"}` }, make("span", { class: "hidden" }, first ? "now" : up ? "up to" : "down to"), make("span", { "aria-hidden": "true" }, up ? "↗" : "↘")),
          pill(data.to, kind),
        ),
        make("span", { class: "chance-now" }, percent(data.probability)),
        make("span", { class: "cause" }, cause(data), " · ", make("time", { datetime: data.decided_at, title: moment(data.decided_at) })),
      ),
    );
    setTimeout(() => data.row.classList.remove("new"), 1500);
    return data.row;
  }

  tick() {
    const now = serverNow();
    for (const place of this.list.querySelectorAll("time")) {
      place.textContent = this.live ? age(now - Date.parse(place.dateTime)) : moment(place.dateTime);
    }
  }

  // One sentence, politely, at most every few seconds; the customer who is open comes first.
  say(data, open) {
    if (data.customer_id === open) this.unsaid.unshift(data);
    else this.unsaid.push(data);
    this.saying ??= setTimeout(() => this.speak(), 600);
  }

  speak() {
    const [first] = this.unsaid;
    const others = this.unsaid.length - 1;
    this.unsaid = [];
    if (first && !this.paused) {
      const came = first.from === "unscored" ? "is now" : `moved from ${first.from} to`;
      const more = others > 0 ? ` ${others} more ${others === 1 ? "move" : "moves"}.` : "";
      find("announcer").textContent = `${capital(spaced(first.outcome))}: customer ${first.customer_id} ${came} ${first.to}.${more}`;
    }
    this.saying = setTimeout(() => {
      this.saying = null;
      if (this.unsaid.length) this.speak();
    }, SAY_MS);
  }
}
