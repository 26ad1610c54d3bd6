// What this deployment scores: read once, and again for the counts.

import { get } from "./api.js";

let known = [];

export async function load() {
  known = (await get("/v1/outcomes")).outcomes;
  return known;
}

export function all() {
  return known;
}

export function outcome(name) {
  return known.find((each) => each.outcome === name) ?? { outcome: name, kind: "occurrence", horizon_days: 0, bands: [] };
}
