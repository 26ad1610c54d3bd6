// Talking to the API. The token lives in this tab's session storage and travels in a header, never in an address.

const KEY = "bandshift-token";
let asking = null;
let pending = null;

export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.body = body ?? {};
  }
}

export function setTokenDialog(ask) {
  asking = ask;
}

export async function request(path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem(KEY);
    const headers = { ...options.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
    const response = await fetch(path, { ...options, headers, cache: "no-store" });
    if (response.status === 401) {
      if (sessionStorage.getItem(KEY) === token) {
        pending ??= asking(token !== null).finally(() => (pending = null));
        sessionStorage.setItem(KEY, await pending);
      }
      continue; // another request may have asked meanwhile
    }
    if (response.ok) return response;
    throw new Problem(response.status, await response.json().catch(() => null));
  }
}

export async function get(path) {
  return (await request(path, { signal: AbortSignal.timeout(15_000) })).json();
}
