// What every page has: fresh parts, ticking times, theme, zone, switches, search as you type, keys, notices.
// Every page works without it.
import { listen } from "./live.js";
import { trusted } from "./trusted.js";

const body = document.body;
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const cookie = (name) => document.cookie.split("; ").find((part) => part.startsWith(name + "="))?.slice(name.length + 1);
const root = body.dataset.root || "/";
const keep = (name, value) => {
  document.cookie = `${name}=${value}; path=${root}; max-age=31536000; samesite=lax`;
};

/** Show a short notice. */
export function toast(text, bad = false) {
  const note = document.createElement("div");
  note.textContent = text;
  note.className = bad ? "bad" : "";
  $("#toasts").append(note);
  setTimeout(() => note.remove(), bad ? 8000 : 4000);
}

/** Fetch a page of ours; an ended login leads to the login page. */
export async function get(url, options = {}) {
  const answer = await fetch(url, { credentials: "same-origin", ...options });
  if (answer.redirected && new URL(answer.url).pathname.endsWith("/login")) location.reload();
  return answer;
}

// --- parts that are kept fresh ---------------------------------------------------------------------------------------
let tag = "";
/** Replace the parts that are marked so by those of a page (this one, when none is named). */
export async function refresh(url = location.href, force = false, parts = "[data-fresh]") {
  const answer = await get(url, { headers: tag && !force ? { "If-None-Match": tag } : {} });
  if (answer.status === 304 || !answer.ok) return;
  tag = answer.headers.get("ETag") || "";
  const page = new DOMParser().parseFromString(trusted.createHTML(await answer.text()), "text/html");
  for (const old of $$(parts)) {
    const now = old.id && page.getElementById(old.id);
    if (!now || now.outerHTML === old.dataset.was || (!force && old.querySelector("details[open]"))) continue;
    const text = now.outerHTML;
    const part = document.importNode(now, true);
    const focus = old.contains(document.activeElement) ? document.activeElement.closest("[id]")?.id : "";
    old.replaceWith(part);
    part.dataset.was = text;
    if (focus) document.getElementById(focus)?.focus();
  }
  tick();
  document.dispatchEvent(new CustomEvent("fresh"));
}
let due = 0;
function refreshSoon() {
  if (due || document.hidden) return;
  due = setTimeout(() => { due = 0; refresh(); }, 700);
}
document.addEventListener("visibilitychange", () => document.hidden || refreshSoon());

// --- times -----------------------------------------------------------------------------------------------------------
/** Seconds in words, as the server says them. */
export function duration(seconds) {
  if (seconds < 10) return seconds.toFixed(seconds < 1 ? 2 : 1) + " s";
  const whole = Math.round(seconds);
  if (whole < 60) return whole + " s";
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const at = units.findIndex(([size]) => whole >= size);
  const rest = Math.floor((whole % units[at][0]) / units[at + 1][0]);
  return `${Math.floor(whole / units[at][0])} ${units[at][1]}` + (rest ? ` ${rest} ${units[at + 1][1]}` : "");
}
function relative(seconds) {
  const far = Math.abs(seconds);
  if (far < 5) return "now";
  const [size, unit] = [[172800, "d", 86400], [3600, "h", 3600], [60, "min", 60], [0, "s", 1]].find(([from]) => far >= from)
    .slice(1).reverse();
  const text = `${Math.floor(far / size)} ${unit}`;
  return seconds > 0 ? `in ${text}` : `${text} ago`;
}
function tick() {
  const now = Date.now() / 1000;
  for (const time of $$("time[data-rel]")) {
    const seconds = Date.parse(time.dateTime) / 1000 - now;
    if (Math.abs(seconds) < 4838400) time.textContent = relative(seconds);
  }
  for (const span of $$("[data-since]")) span.textContent = duration(Math.max(0, now - span.dataset.since));
}
setInterval(() => document.hidden || tick(), 1000);

// --- zone and theme --------------------------------------------------------------------------------------------------
const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
if (!cookie("tz")) {
  keep("tz", here);
  if ($("#zone") && here !== body.dataset.zone) location.reload();
}
const zone = $("#zone");
if (zone) {
  for (const name of new Set([here, "UTC"])) if (![...zone.options].some((o) => o.value === name)) zone.add(new Option(name));
  zone.addEventListener("change", () => { keep("tz", zone.value); location.reload(); });
}
$("#theme")?.addEventListener("click", () => {
  const html = document.documentElement;
  const dark = html.dataset.theme === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : html.dataset.theme === "dark";
  html.dataset.theme = dark ? "light" : "dark";
  keep("theme", html.dataset.theme);
});

// --- forms -----------------------------------------------------------------------------------------------------------
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-pause]")) return;
  event.preventDefault();
  const button = $("button", form);
  button.disabled = true;
  try {
    const answer = await get(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.detail);
    if (said.ask) return void location.assign(said.ask);
    button.setAttribute("aria-checked", String(!said.is_paused));
    $("[name=paused]", form).value = String(!said.is_paused);
    toast(said.said);
    refresh(location.href, true);
  } catch (error) {
    toast(error.message || "That did not work", true);
  }
  button.disabled = false;
});
document.addEventListener("change", (event) => {
  const field = event.target;
  if (field.matches("[data-submit]")) field.form.requestSubmit();
  if (field.matches("[data-fill]") && field.value) document.getElementById(field.dataset.fill).value = field.value;
});
let typing = 0;
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-filter]");
  if (!form) return;
  clearTimeout(typing);
  typing = setTimeout(() => {
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    const url = `${location.pathname}?${query}`;
    history.replaceState(null, "", url);
    refresh(url, true);
  }, 200);
});
document.addEventListener("click", (event) => {
  for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// --- keys ------------------------------------------------------------------------------------------------------------
const KEYS = [["/", "Search"], ["g h", "Home"], ["g d", "DAGs"], ["g r", "Runs"], ["j k", "Next and previous row"],
  ["Enter", "Open the row"], ["[ ]", "Run before and after"], ["e", "Next error in a log"], ["f", "Follow a log"],
  ["w", "Wrap lines"], ["0 + −", "Fit and zoom the graph"], ["n", "Next running or failed task in the graph"], ["?", "This help"]];
let before = "";
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) {
    if (event.key === "Escape") event.target.blur?.();
    return;
  }
  const pair = before === "g" ? { h: "", d: "dags", r: "dag_runs" }[event.key] : undefined;
  before = event.key;
  if (pair !== undefined) { location.href = root.replace(/\/$/, "") + "/" + pair; return; }
  if (event.key === "?") return help();
  if (event.key === "Escape") for (const menu of $$("details.menu[open]")) menu.open = false;
  if (event.key === "j" || event.key === "k") return step(event.key === "j" ? 1 : -1);
  const target = $(`[data-key="${CSS.escape(event.key)}"]`);
  if (target) { event.preventDefault(); target.matches("input") ? target.focus() : target.click(); }
});
function step(by) {
  const rows = $$("[data-row] a.name, [data-row] td > a:first-child").filter((a, i, all) =>
    all.findIndex((b) => b.closest("[data-row]") === a.closest("[data-row]")) === i);
  const at = rows.findIndex((row) => row.closest("[data-row]").contains(document.activeElement));
  rows[Math.max(0, Math.min(rows.length - 1, at + by))]?.focus();
}
function help() {
  const dialog = document.createElement("dialog");
  dialog.className = "keys";
  const list = document.createElement("dl");
  list.className = "kv";
  for (const [keys, what] of KEYS) {
    const dt = document.createElement("dt");
    for (const key of keys.split(" ")) { const k = document.createElement("kbd"); k.textContent = key; dt.append(k, " "); }
    const dd = document.createElement("dd");
    dd.textContent = what;
    list.append(dt, dd);
  }
  dialog.append(list);
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  body.append(dialog);
  dialog.showModal();
}

/** Copy text, also where the page was not loaded over TLS. */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

// --- live ------------------------------------------------------------------------------------------------------------
const dot = $("#live");
document.addEventListener("live-state", (event) => {
  if (!dot) return;
  dot.hidden = false;
  dot.className = `live-dot ${{ stream: "on", poll: "poll" }[event.detail] || ""}`;
  dot.title = { stream: "Live", poll: "Live, asking every few seconds", off: "Not live: no connection" }[event.detail];
});
const topics = [body.dataset.live, ...$$("[data-live]:not(body)").map((e) => e.dataset.live), ...$$("[data-wait]").map((e) => e.dataset.wait)]
  .filter(Boolean);
if (topics.length) {
  listen(topics, (name, data) => {
    document.dispatchEvent(new CustomEvent("live", { detail: { name, data } }));
    if (name === "log" && $("[data-wait]") && data.size) location.reload();
    if (name !== "log" && $("[data-fresh]")) refreshSoon();
  });
}
tick();
