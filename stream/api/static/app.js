// The call-center page: puts the pieces together.

import { Problem, get, setTokenDialog } from "./api.js";
import { Bands } from "./bands.js";
import { Card } from "./card.js";
import { find, make } from "./dom.js";
import { Models } from "./models.js";
import { Moves } from "./moves.js";
import { load } from "./outcomes.js";
import { State } from "./state.js";
import { Live } from "./stream.js";
import { Tabs } from "./tabs.js";
import { setServerTime } from "./words.js";

setTokenDialog(
  (wrong) =>
    new Promise((resolve) => {
      const dialog = find("token");
      if (wrong) find("token-text").textContent = "That token was not accepted. Try another one.";
      find("token-form").addEventListener(
        "submit",
        () => {
          resolve(find("token-value").value.trim());
          find("token-value").value = "";
        },
        { once: true },
      );
      if (!dialog.open) dialog.showModal();
    }),
);

// There is nothing to see without it.
find("token").addEventListener("cancel", (event) => event.preventDefault());

const state = new State(() => live.retry());
const card = new Card();
const moves = new Moves();
const bands = new Bands();
const models = new Models();
const tabs = new Tabs();
let caughtUp = false;

const live = new Live(
  (name, data) => {
    if (name === "hello") hello(data);
    else if (name === "band-change") changed(data.data);
    else if (name === "score") card.touch();
    else if (name === "model") models.touch();
    else if (name === "reset") again();
  },
  (connection, detail) => state.connected(connection, detail),
);

function hello(data) {
  setServerTime(data.at);
  moves.live = data.live;
  state.hello(data);
  // What came before the first hello's end is the past: it is shown, not announced.
  setTimeout(() => (caughtUp = true), 1000);
}

// Something is missing from the feed: what is on screen is asked for anew.
function again() {
  card.touch();
  bands.show();
  models.touch();
}

function changed(data) {
  moves.add(data);
  if (data.customer_id === card.customer) card.touch();
  if (caughtUp) moves.say(data, card.customer);
}

// ---- the address says which customer is open, so that a phone system can link here

function asked() {
  const found = new URLSearchParams(location.hash.slice(1)).get("customer");
  return found || null;
}

async function route() {
  const before = tabs.shown;
  tabs.follow(location.hash);
  models.show(tabs.shown === "models");
  const customer = asked();
  // Back from the other tab everything is as it was left.
  if (tabs.shown === "models" || (before === "models" && customer === card.customer)) return;
  live.follow(customer);
  const shown = card.open(customer);
  if (customer !== null) {
    find("customer-title").focus({ preventScroll: true });
    scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }
  await shown;
}

addEventListener("hashchange", route);

addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (link?.classList.contains("skip")) {
    event.preventDefault(); // its address would take the place of the customer's
    find(tabs.shown === "models" ? "models-title" : "customer-title").focus();
  } else if (link && link.hash === location.hash) {
    route(); // open already: no other address, so nobody else moves the focus out of the list
  }
});

// ---- search

const input = find("search-id");

find("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const customer = input.value.trim();
  if (!customer) return;
  const target = `#customer=${encodeURIComponent(customer)}`;
  if (location.hash === target) route();
  else location.hash = target;
  input.value = "";
});

let typed = 0;
input.addEventListener("input", () => {
  const number = ++typed;
  const prefix = input.value.trim();
  setTimeout(async () => {
    if (number !== typed || !prefix) return;
    const found = await get(`/v1/customers?${new URLSearchParams({ prefix })}`).catch(() => ({ customers: [] }));
    if (number === typed) find("search-names").replaceChildren(...found.customers.map((each) => make("option", { value: each })));
  }, 150);
});

addEventListener("keydown", (event) => {
  const writing = event.target.closest?.("input, select, textarea, dialog");
  if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    input.focus();
    input.select();
  } else if (event.key === "Escape" && event.target === input) {
    input.value = "";
    input.blur();
  }
});

// ---- begin

async function begin() {
  for (let wait = 500; ; wait = Math.min(wait * 2, 10_000)) {
    try {
      moves.setOutcomes(await load());
      break;
    } catch (error) {
      const why = error instanceof Problem ? error.message : "The server does not answer.";
      state.connected("reconnecting", { seconds: Math.ceil(wait / 1000), why });
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  bands.start();
  live.customer = asked();
  live.start();
  if (location.hash) await route();
}

begin();
