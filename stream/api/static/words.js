// Words, numbers and times, as people read them.

export const BANDS = ["very low", "low", "moderate", "high", "very high"];

export function level(band) {
  return BANDS.indexOf(band);
}

export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function spaced(name) {
  return name.replaceAll("_", " ");
}

export function days(number) {
  return number === 1 ? "1 day" : `${number} days`;
}

// What a probability is about, after the name of the outcome: "within 7 days", "no purchase within 28 days".
export function about(info) {
  const within = `within ${days(info.horizon_days)}`;
  return info.kind === "absence" ? `${absent(info.types ?? [])} ${within}` : within;
}

function absent(types) {
  if (!types.length) return "nothing";
  const names = types.map(spaced).join(", ");
  return types.length === 1 ? `no ${names}` : `none of ${names}`;
}

// Two digits that matter, and never "0 %" or "100 %" for what is not certain.
export function percent(probability) {
  const value = probability * 100;
  if (value > 0 && value < 0.1) return "under 0.1 %";
  if (value > 99.9 && value < 100) return "over 99.9 %";
  return `${value < 10 || value > 90 ? value.toFixed(1) : value.toFixed(0)} %`;
}

// "+0.8", "−0.3": read out with its sign.
export function signed(number) {
  return `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(1)}`;
}

let ahead = 0; // how far the server's clock is ahead of this machine's, in ms

export function setServerTime(text) {
  ahead = Date.parse(text) - Date.now();
}

export function serverNow() {
  return Date.now() + ahead;
}

export function age(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}

// A time to wait, rounded up; nothing where it is unknown.
export function remaining(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds <= 60) return "less than a minute";
  const minutes = Math.ceil(seconds / 60);
  return minutes <= 90 ? `about ${minutes} minutes` : `about ${Math.ceil(minutes / 60)} hours`;
}

export function span(milliseconds) {
  const found = age(milliseconds);
  return found === "just now" ? "a moment" : found.replace(" ago", "").replace(/ s$/, " seconds").replace(/ h$/, " hours");
}

const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const DAY_OF_YEAR = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function day(time) {
  const date = new Date(time);
  const thisYear = date.getFullYear() === new Date(serverNow()).getFullYear();
  return (thisYear ? DAY : DAY_OF_YEAR).format(date);
}

// "14:05" today, "14 Oct" before.
export function since(time) {
  const date = new Date(time);
  const today = new Date(serverNow()).toDateString() === date.toDateString();
  return today ? CLOCK.format(date) : day(time);
}

export function moment(time) {
  return MOMENT.format(new Date(time));
}

const TOUCHED = {
  call_inbound: "their call",
  call_outbound: "a call to them",
  campaign_received: "a campaign",
  cart_add: "a product put in the cart",
  coupon_redeemed: "a redeemed coupon",
  direct_sales: "a direct sale",
  email_click: "a click in an e-mail",
  email_open: "an opened e-mail",
  email_sent: "an e-mail to them",
  point_of_sale: "a purchase in a shop",
  postal_mail: "a letter to them",
  product_view: "a look at a product",
  push: "a push message",
  sms: "a text message",
  social: "a social post",
};

export function cause(data) {
  if (data.cause === "silence") return "after silence";
  const type = data.touchpoint.type;
  return `after ${TOUCHED[type] ?? article(spaced(type))}`;
}

function article(word) {
  return `${/^[aeiou]/.test(word) ? "an" : "a"} ${word}`;
}
