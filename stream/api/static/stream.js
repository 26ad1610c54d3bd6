// The live feed. EventSource cannot send the token's header, so the stream is read with fetch.

import { request } from "./api.js";

const SILENT_MS = 25_000; // the server says hello every 10 s
const LONGEST_MS = 15_000;

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = { name: "", data: "", id: "" };
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) event.name = line.slice(7);
        else if (line.startsWith("data: ")) event.data = line.slice(6);
        else if (line.startsWith("id: ")) event.id = line.slice(4);
      }
      if (event.name) yield event;
    }
  }
}

// Keeps one stream open: `onevent(name, data)`, and `onstate(state, {seconds, why})` with state one of
// connecting, silent, reconnecting. Who hears an event knows that it is live. It is silent from 25 seconds
// without a word until the first try after them has failed or succeeded.
export class Live {
  constructor(onevent, onstate) {
    this.onevent = onevent;
    this.onstate = onstate;
    this.customer = null;
    this.last = "";
    this.failures = 0;
    this.controller = null;
    this.wake = null;
    this.unheard = false;
    this.silent = false;
  }

  start() {
    this.run();
    addEventListener("online", () => this.retry());
  }

  // Follow one customer's scores too. The stream is opened anew and goes on where it was.
  follow(customer) {
    if (customer === this.customer) return;
    this.customer = customer;
    this.changing = true;
    this.controller?.abort();
  }

  retry() {
    this.wake?.();
  }

  async run() {
    for (;;) {
      const why = await this.once();
      if (this.changing) {
        this.changing = false;
        continue;
      }
      this.silent = this.unheard && this.failures === 0;
      this.failures += 1;
      await this.pause(why);
    }
  }

  async once() {
    this.controller = new AbortController();
    this.unheard = false;
    const timer = new Watchdog(SILENT_MS, () => {
      this.unheard = true;
      this.controller.abort();
    });
    const asked = new URLSearchParams();
    if (this.customer !== null) asked.set("customer", this.customer);
    if (!this.last) asked.set("recent", "40");
    try {
      const response = await request(`/v1/events?${asked}`, {
        headers: this.last ? { "last-event-id": this.last } : {},
        signal: this.controller.signal,
      });
      for await (const event of events(response.body)) {
        timer.feed();
        this.failures = 0;
        if (event.id) this.last = event.id;
        this.onevent(event.name, JSON.parse(event.data));
      }
      return "";
    } catch (error) {
      return error.status ? error.message : "";
    } finally {
      timer.stop();
      this.controller.abort();
    }
  }

  async pause(why) {
    const full = Math.min(LONGEST_MS, 1000 * 2 ** Math.min(this.failures - 1, 5));
    const until = Date.now() + full * (0.75 + Math.random() / 2);
    let hurry = false;
    while (!hurry && Date.now() < until) {
      this.onstate(this.silent ? "silent" : "reconnecting", { seconds: Math.ceil((until - Date.now()) / 1000), why });
      hurry = await new Promise((resolve) => {
        this.wake = () => resolve(true);
        setTimeout(resolve, Math.min(1000, until - Date.now()), false);
      });
    }
    this.wake = null;
    this.onstate(this.silent ? "silent" : "connecting", {});
  }
}

class Watchdog {
  constructor(milliseconds, bark) {
    this.milliseconds = milliseconds;
    this.bark = bark;
    this.feed();
  }

  feed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.bark, this.milliseconds);
  }

  stop() {
    clearTimeout(this.timer);
  }
}
