// Whether what is shown can be trusted: live, reconnecting, or stale, and why.

import { find, show } from "./dom.js";
import { remaining } from "./words.js";

export class State {
  constructor(retry) {
    this.connection = "connecting";
    this.detail = {};
    this.fresh = null;
    find("notice-act").addEventListener("click", retry);
  }

  connected(state, detail) {
    this.connection = state;
    this.detail = detail;
    this.show();
  }

  // The server's own word on how fresh everything is.
  hello(fresh) {
    this.fresh = fresh;
    this.connected("live", {});
  }

  why() {
    const fresh = this.fresh;
    if (this.connection === "silent") return `No sign of life for 25 seconds. ${this.next()}`;
    if (this.connection !== "live" || fresh === null) return "";
    if (!fresh.kafka) return "Kafka does not answer: new touchpoints are not seen.";
    if (!fresh.redis) return "Redis does not answer: scores cannot be read.";
    if (fresh.rebuilding) return rebuilding(fresh.rebuilding);
    if (fresh.stalled.length) return "Touchpoints wait, and no worker takes them in.";
    if (!fresh.caught_up) return `This view is ${fresh.view_lag.toLocaleString()} records behind and catching up.`;
    return "";
  }

  next() {
    const seconds = this.detail.seconds;
    return seconds === undefined ? "Trying now." : `Next try in ${seconds} s.`;
  }

  show() {
    const why = this.why();
    let state = this.connection;
    let word = { live: "Live", connecting: "Connecting", silent: "Stale", reconnecting: "Reconnecting" }[state];
    let text = "";
    if (why) {
      state = "stale";
      word = this.connection === "live" && this.fresh.kafka && this.fresh.redis && this.fresh.rebuilding ? "Rebuilding" : "Stale";
      text = why;
    } else if (state === "reconnecting") {
      text = `${this.detail.why || "The connection is lost; what you see is as of then."} ${this.next()}`;
    } else if (state === "connecting" && this.fresh !== null) {
      state = "reconnecting";
      word = "Reconnecting";
      text = "The connection is lost; what you see is as of then. Trying now.";
    } else if (state === "live" && this.fresh !== null && !this.fresh.live) {
      word = "Live · history";
      text = "History is being imported: all times are those of the touchpoints, and no trigger goes out yet.";
    }
    find("state").dataset.state = state;
    const place = find("state-word");
    if (place.textContent !== word) place.textContent = word; // said once, not every second
    document.body.dataset.state = state;
    const notice = find("notice");
    show(notice, text !== "");
    notice.dataset.state = state;
    find("notice-text").textContent = text;
    show(find("notice-act"), state === "reconnecting" || this.connection === "silent");
  }
}

function rebuilding(found) {
  const left = remaining(found.remaining_seconds);
  return `Scores are rebuilt from the log: ${Math.floor(found.done * 100)} % done${left && `, ${left} left`}. Until then some customers are not shown.`;
}
