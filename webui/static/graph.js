// The graph: pan, zoom, minimap, live states, the task beside it. The drawing itself comes from the server.
import { duration, get, refresh } from "./core.js";
import { trusted } from "./trusted.js";

const canvas = document.getElementById("canvas");
const svg = canvas?.querySelector("svg.graph");
const page = document.getElementById("graphpage");
const pane = document.getElementById("pane");
const SVG = "http://www.w3.org/2000/svg";
const ACTIVE = ["running", "failed", "up_for_retry", "upstream_failed", "queued"];
const WORST = ["failed", "upstream_failed", "up_for_retry", "running", "restarting", "deferred", "up_for_reschedule",
  "awaiting_input", "queued", "scheduled", "none", "skipped", "success", "removed"];
const OVER = ["success", "failed", "skipped", "upstream_failed", "removed"];
const WORDS = { none: "waiting" };
const word = (state) => WORDS[state] || state.replaceAll("_", " ");
const boxes = new Map([...(svg?.querySelectorAll("[data-t]") || [])].map((box) => [box.dataset.t, box]));
const stateOf = (box) => [...box.classList].find((name) => name.startsWith("s-"))?.slice(2) || "none";

// --- where we look ---------------------------------------------------------------------------------------------------
const size = { w: +svg.getAttribute("width"), h: +svg.getAttribute("height") };
const look = { x: 0, y: 0, k: 1 };
const view = svg.querySelector("#view");
let eye = null;
function show() {
  view.setAttribute("transform", `translate(${look.x.toFixed(1)} ${look.y.toFixed(1)}) scale(${look.k.toFixed(4)})`);
  if (eye) {
    const set = { x: -look.x / look.k, y: -look.y / look.k, width: canvas.clientWidth / look.k, height: canvas.clientHeight / look.k };
    for (const [name, value] of Object.entries(set)) eye.setAttribute(name, value.toFixed(1));
  }
}
function fit() {
  const room = { w: canvas.clientWidth - 32, h: canvas.clientHeight - 112 };
  look.k = Math.min(1.25, Math.max(0.12, Math.min(room.w / size.w, room.h / size.h)));
  look.x = (canvas.clientWidth - size.w * look.k) / 2;
  look.y = Math.max(52, (canvas.clientHeight - size.h * look.k) / 2);
  // A graph too large to read as a whole is shown readable, from its beginning.
  if (look.k < 0.45) {
    look.k = 0.75;
    look.x = Math.max(16, (canvas.clientWidth - size.w * look.k) / 2);
    look.y = Math.max(52, (canvas.clientHeight - size.h * look.k) / 2);
  }
  show();
}
function zoom(by, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const k = Math.min(3, Math.max(0.08, look.k * by));
  look.x = x - ((x - look.x) * k) / look.k;
  look.y = y - ((y - look.y) * k) / look.k;
  look.k = k;
  show();
}
function centre(box) {
  const { x, y, width, height } = box.querySelector(".body").getBBox();
  look.k = Math.max(look.k, 0.8);
  look.x = canvas.clientWidth / 2 - (x + width / 2) * look.k;
  look.y = canvas.clientHeight / 2 - (y + height / 2) * look.k;
  show();
}

canvas.classList.add("ready");
svg.removeAttribute("viewBox");
document.getElementById("zoom").hidden = false;
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const at = canvas.getBoundingClientRect();
  if (event.ctrlKey || event.metaKey || !event.shiftKey) zoom(Math.exp(-event.deltaY * 0.0016), event.clientX - at.left, event.clientY - at.top);
  else { look.x -= event.deltaY; show(); }
}, { passive: false });
const fingers = new Map();
let moved = false;
canvas.addEventListener("pointerdown", (event) => {
  if (event.button || event.target.closest(".float, .mini")) return;
  fingers.set(event.pointerId, event);
  moved = false;
});
addEventListener("pointermove", (event) => {
  const last = fingers.get(event.pointerId);
  if (!last) return;
  const dx = event.clientX - last.clientX, dy = event.clientY - last.clientY;
  if (!moved && Math.hypot(dx, dy) < 4) return;
  if (fingers.size === 2) {
    const other = [...fingers.values()].find((f) => f.pointerId !== event.pointerId);
    const was = Math.hypot(last.clientX - other.clientX, last.clientY - other.clientY);
    const is = Math.hypot(event.clientX - other.clientX, event.clientY - other.clientY);
    const at = canvas.getBoundingClientRect();
    zoom(is / (was || 1), (event.clientX + other.clientX) / 2 - at.left, (event.clientY + other.clientY) / 2 - at.top);
  } else { look.x += dx; look.y += dy; show(); }
  moved = true;
  canvas.classList.add("drag");
  fingers.set(event.pointerId, event);
});
for (const name of ["pointerup", "pointercancel"]) addEventListener(name, (event) => { fingers.delete(event.pointerId); canvas.classList.remove("drag"); });
canvas.addEventListener("dragstart", (event) => event.preventDefault());
document.getElementById("zoom").addEventListener("click", (event) => {
  const what = event.target.closest("[data-zoom]")?.dataset.zoom;
  if (what === "fit") fit(); else if (what) zoom(what === "in" ? 1.3 : 1 / 1.3);
});
canvas.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
  if (step && event.target === canvas) { event.preventDefault(); look.x += step[0]; look.y += step[1]; show(); }
});
addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey) return;
  if (event.key === "0") fit();
  if (event.key === "+") zoom(1.3);
  if (event.key === "-") zoom(1 / 1.3);
  if (event.key === "Escape") close();
  if (event.key === "n") find();
});

// --- minimap ---------------------------------------------------------------------------------------------------------
if (boxes.size > 14) {
  const mini = document.createElementNS(SVG, "svg");
  const k = Math.min(200 / size.w, 130 / size.h);
  mini.setAttribute("class", "mini");
  mini.setAttribute("viewBox", `0 0 ${size.w} ${size.h}`);
  mini.setAttribute("width", Math.max(40, size.w * k));
  mini.setAttribute("height", Math.max(16, size.h * k));
  mini.setAttribute("aria-hidden", "true");
  for (const [id, box] of boxes) {
    const from = box.querySelector(".body");
    const to = document.createElementNS(SVG, "rect");
    for (const name of ["x", "y", "width", "height"]) to.setAttribute(name, from.getAttribute(name));
    to.setAttribute("class", `s-${stateOf(box)}`);
    to.dataset.m = id;
    mini.append(to);
  }
  eye = document.createElementNS(SVG, "rect");
  eye.setAttribute("class", "eye");
  mini.append(eye);
  const go = (event) => {
    const at = mini.getBoundingClientRect();
    look.x = canvas.clientWidth / 2 - ((event.clientX - at.left) / at.width) * size.w * look.k;
    look.y = canvas.clientHeight / 2 - ((event.clientY - at.top) / at.height) * size.h * look.k;
    show();
  };
  mini.addEventListener("pointerdown", (event) => { go(event); mini.setPointerCapture(event.pointerId); });
  mini.addEventListener("pointermove", (event) => event.buttons && go(event));
  canvas.append(mini);
}

// --- what hangs together ---------------------------------------------------------------------------------------------
const lines = [...svg.querySelectorAll(".lines path")];
for (const [id, box] of boxes) {
  box.addEventListener("pointerenter", () => mark(id));
  box.addEventListener("pointerleave", () => mark(""));
  box.addEventListener("focus", () => mark(id));
  box.addEventListener("blur", () => mark(""));
}
function mark(id) {
  const near = new Set([id]);
  for (const line of lines) {
    const names = line.dataset.e.split(" ");
    const hot = id !== "" && names.includes(id);
    line.classList.toggle("hot", hot);
    if (hot) names.forEach((name) => near.add(name));
  }
  svg.classList.toggle("dimmed", id !== "" && near.size > 1);
  for (const [name, box] of boxes) box.classList.toggle("near", near.has(name) || [...near].some((n) => n && name.startsWith(n + ".")));
}

// --- the task beside it ----------------------------------------------------------------------------------------------
let picked = "";
svg.addEventListener("click", (event) => {
  if (moved) { event.preventDefault(); return; }
  const box = event.target.closest("a[data-t]:not(.closed)");
  if (!box || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (box.getAttribute("href")) open(box.dataset.t, box.getAttribute("href"));
});
svg.addEventListener("dblclick", (event) => {
  const box = event.target.closest("a[data-t]:not(.closed)");
  if (box?.getAttribute("href")) location.href = box.getAttribute("href");
});
async function open(id, href) {
  const answer = await get(href + (href.includes("?") ? "&" : "?") + "_p=panel");
  if (!answer.ok) return;
  const first = pane.hidden;
  picked = id;
  for (const [name, box] of boxes) box.classList.toggle("picked", name === id);
  pane.innerHTML = trusted.createHTML(await answer.text());
  pane.hidden = false;
  page.classList.add("two");
  const log = pane.querySelector(".log");
  if (log) log.scrollTop = log.scrollHeight;
  if (first) keepInView(boxes.get(id));
  show();
}
function keepInView(box) {
  const at = box.getBoundingClientRect(), room = canvas.getBoundingClientRect();
  if (at.right > room.right - 20) look.x -= at.right - room.right + 60;
  if (at.left < room.left + 20) look.x += room.left - at.left + 60;
}
function close() {
  pane.hidden = true;
  page.classList.remove("two");
  boxes.get(picked)?.classList.remove("picked");
  picked = "";
  show();
}
pane.addEventListener("click", (event) => event.target.closest("[data-close]") && close());

// --- find ------------------------------------------------------------------------------------------------------------
let last = -1;
function find(state = "") {
  const ids = [...boxes.keys()].filter((id) => (state ? stateOf(boxes.get(id)) === state : ACTIVE.slice(0, 4).includes(stateOf(boxes.get(id)))));
  if (!ids.length) return;
  last = (last + 1) % ids.length;
  centre(boxes.get(ids[last]));
  boxes.get(ids[last]).focus({ preventScroll: true });
}
document.getElementById("legend")?.addEventListener("click", (event) => {
  const state = event.target.closest("[data-find]")?.dataset.find;
  if (state) find(state);
});

// --- live ------------------------------------------------------------------------------------------------------------
const members = JSON.parse(document.getElementById("members").textContent || "{}");
const groupOf = new Map(Object.entries(members).flatMap(([group, tasks]) => tasks.map((task) => [task, group])));
const tasks = new Map(); // id -> [state, try, start, end, and when mapped: state -> how many, how many are held]
function paint(id) {
  const group = groupOf.get(id);
  const box = boxes.get(group || id);
  if (!box) return;
  const states = (group ? members[group] : [id]).filter((name) => tasks.has(name)).map((name) => tasks.get(name));
  if (!states.length) return;
  const state = WORST.find((name) => states.some((task) => task[0] === name)) || "none";
  if (stateOf(box) !== state) {
    box.classList.replace(`s-${stateOf(box)}`, `s-${state}`);
    box.querySelector(".icon").setAttribute("href", `#s-${state}`);
    canvas.querySelector(`[data-m="${CSS.escape(group || id)}"]`)?.setAttribute("class", `s-${state}`);
  }
  box.classList.toggle("held", states.some((task) => task[5]));
  note(box, group, states, state);
}
function note(box, group, states, state) {
  const text = box.querySelector(".kind");
  if (group) { text.textContent = `${states.filter((task) => task[0] === "success").length} of ${members[group].length} done`; return; }
  const [, tries, start, end, counts, held] = states[0];
  const words = counts ? mapped(counts, state) : [word(state)];
  if (start && state !== "up_for_retry" && words.length === 1) words.push(duration(Math.max(0, (end || Date.now() / 1000) - start)));
  if (tries > 1 && !counts) words.push(`try ${tries}`);
  if (held) words.push(counts ? `${held} held` : "held");
  text.textContent = words.join(" · ");
}
function mapped(counts, state) {
  const size = Object.values(counts).reduce((a, b) => a + b, 0);
  const done = OVER.reduce((sum, name) => sum + (counts[name] || 0), 0);
  return [`${done} of ${size}`, ...(state === "success" || state === "none" ? [] : [`${counts[state]} ${word(state)}`])];
}
function count() {
  const legend = document.getElementById("legend");
  if (!legend) return;
  const counts = {};
  for (const [state, , , , each] of tasks.values())
    for (const [name, number] of Object.entries(each || { [state]: 1 })) counts[name] = (counts[name] || 0) + number;
  const order = Object.keys(counts).sort((a, b) => WORST.indexOf(a) - WORST.indexOf(b));
  legend.replaceChildren(...order.map((state) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.find = state;
    const mark = document.createElement("span");
    mark.className = `st s-${state}`;
    const icon = document.createElementNS(SVG, "svg");
    icon.setAttribute("class", "si");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `#s-${state}`);
    icon.append(use);
    const number = document.createElement("b");
    number.textContent = counts[state];
    mark.append(icon, number, " " + word(state));
    button.append(mark);
    return button;
  }));
}
let held;
document.addEventListener("live", ({ detail: { name, data } }) => {
  if (name !== "run") return;
  if (held !== undefined && held !== data.held) refresh(location.href, true, "[data-late]");
  held = data.held;
  for (const [id, ...rest] of data.tasks) tasks.set(id, rest);
  for (const [id] of data.tasks) paint(id);
  count();
  const mark = document.querySelector("#run-state .st");
  if (mark && data.state && !mark.classList.contains(`s-${data.state}`)) {
    mark.className = `st s-${data.state}`;
    mark.querySelector("use").setAttribute("href", `#s-${data.state}`);
    mark.lastChild.textContent = word(data.state);
    refresh(location.href, true, "[data-late]");
  }
  if (picked && data.tasks.some(([id]) => id === picked)) open(picked, boxes.get(picked).getAttribute("href"));
});
setInterval(() => {
  if (document.hidden) return;
  for (const [id, [state]] of tasks) if (state === "running") paint(id);
}, 1000);
addEventListener("resize", show);
fit();
