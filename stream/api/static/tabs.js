// The two views: customers, and models. The address says which one is open.

import { find, show } from "./dom.js";

const MODELS = "#models";
const NAMES = ["live", "models"];

export class Tabs {
  constructor() {
    this.shown = "live";
    this.back = "";
    for (const name of NAMES) {
      const tab = find(`tab-${name}`);
      tab.addEventListener("click", () => this.choose(name));
      tab.addEventListener("keydown", (event) => this.key(event));
    }
  }

  choose(name) {
    location.hash = name === "models" ? MODELS : this.back;
  }

  key(event) {
    const last = NAMES.length - 1;
    const here = NAMES.indexOf(this.shown);
    const to = { ArrowLeft: here ? here - 1 : last, ArrowRight: here < last ? here + 1 : 0, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    find(`tab-${NAMES[to]}`).focus();
    this.choose(NAMES[to]);
  }

  follow(hash) {
    if (hash !== MODELS) this.back = hash;
    this.shown = hash === MODELS ? "models" : "live";
    for (const name of NAMES) {
      const tab = find(`tab-${name}`);
      const chosen = name === this.shown;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      show(find(`panel-${name}`), chosen);
    }
    find("skip").textContent = this.shown === "models" ? "Skip to the models" : "Skip to the customer";
  }
}
