// The log: follows what is written, loads earlier lines, jumps to errors, wraps, filters, copies.
import { copy, get, toast } from "./core.js";
import { trusted } from "./trusted.js";

const log = document.getElementById("log");
const control = (name) => document.querySelector(`[data-log=${name}]`);
if (log) start();

function start() {
  const at = log.dataset;
  let next = +at.next, last = +at.last, mark = at.mark, busy = false;
  for (const name of ["level", "wrap", "time", "copy"]) control(name).hidden = false;
  const followButton = control("follow");
  followButton.hidden = !at.live;
  let follow = followButton.getAttribute("aria-pressed") === "true";
  // Blocks out of view have only a guessed height. It becomes the true one when they are reached, so go there again
  // until it fits, or until the reader goes somewhere.
  let pinned = null;
  function settle(go) {
    pinned = go;
    let rounds = 8;
    const step = () => {
      if (pinned !== go) return;
      go();
      if (rounds-- > 0) requestAnimationFrame(step);
    };
    step();
  }
  log.addEventListener("contentvisibilityautostatechange", () => requestAnimationFrame(() => pinned?.()));
  for (const name of ["wheel", "pointerdown", "keydown", "touchstart"])
    log.addEventListener(name, () => { pinned = null; }, { passive: true });
  const toEnd = () => settle(() => { log.scrollTop = log.scrollHeight; });
  const setFollow = (on) => { follow = on; followButton.setAttribute("aria-pressed", String(on)); if (on) toEnd(); };

  // --- where to begin: the line of the address, else the first error, else the end
  const wanted = location.hash.match(/^#L\d+/) && document.querySelector(location.hash);
  const error = at.error && document.getElementById(`L${at.error}`);
  if (wanted) { reveal(wanted); setFollow(false); }
  else if (error && !at.live) reveal(error);
  else toEnd();

  function reveal(line) {
    for (let box = line.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    log.querySelector(".at")?.classList.remove("at");
    line.classList.add("at");
    // Not scrollIntoView: that would also move the page, and hide its head.
    settle(() => {
      const far = line.getBoundingClientRect().top - log.getBoundingClientRect().top;
      log.scrollTop += far - log.clientHeight / 3;
    });
  }

  // --- what is new
  async function more() {
    if (busy) return;
    busy = true;
    try {
      for (let round = 0; round < 40; round += 1) {
        const answer = await get(`${at.path}?_p=log&try=${at.try}&since=${next}&mark=${mark}`);
        if (!answer.ok) break;
        const news = await answer.json();
        if (news.anew) return location.reload();  // lines of another process came in between
        if (!news.html) break;
        document.getElementById("nolines")?.remove();
        log.insertAdjacentHTML("beforeend", trusted.createHTML(news.html));
        next = news.next;
        mark = news.mark;
        last = news.last;
        const label = document.getElementById("lines");
        if (label) label.textContent = `${news.total} lines`;
        if (follow) toEnd();
        if (next >= news.size) break;
      }
    } finally { busy = false; }
  }
  document.addEventListener("live", ({ detail: { name, data } }) => {
    if (name === "log" && data.size > next) more();
    if (name === "run" && at.live) more();
  });
  log.addEventListener("scroll", () => {
    const end = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
    if (at.live && end !== follow) { follow = end; followButton.setAttribute("aria-pressed", String(end)); }
  });

  // --- earlier lines
  log.addEventListener("click", async (event) => {
    const link = event.target.closest("[data-log=earlier]");
    const number = event.target.closest("p > a:first-child");
    if (number) { event.preventDefault(); history.replaceState(null, "", number.hash); reveal(number.parentElement); return; }
    if (!link) return;
    event.preventDefault();
    const before = +log.dataset.first;
    const answer = await get(`${at.path}?_p=log&try=${at.try}&before=${before}`);
    if (!answer.ok) return toast("The earlier lines could not be read", true);
    const news = await answer.json();
    const height = log.scrollHeight;
    const row = link.closest("p");
    row.insertAdjacentHTML("afterend", trusted.createHTML(news.html));
    log.dataset.first = news.first;
    if (news.first <= 1) row.remove(); else link.textContent = `${news.first - 1} earlier lines`;
    log.scrollTop += log.scrollHeight - height;
  });

  // --- controls
  followButton.addEventListener("click", () => setFollow(!follow));
  const toggle = (name, css) => control(name).addEventListener("click", () => {
    const on = control(name).getAttribute("aria-pressed") !== "true";
    control(name).setAttribute("aria-pressed", String(on));
    log.classList.toggle(css, !on);
  });
  toggle("wrap", "nowrap");
  toggle("time", "notime");
  control("level").addEventListener("change", () => { log.dataset.level = control("level").value; });
  control("copy").addEventListener("click", async () => { await copy(log.innerText); toast("Copied"); });
  function nextError() {
    const errors = [...log.querySelectorAll("p.e b")].map((badge) => badge.closest("p"));
    const here = errors.findIndex((line) => line.classList.contains("at"));
    if (errors.length) { setFollow(false); reveal(errors[(here + 1) % errors.length]); }
  }
  control("error")?.addEventListener("click", nextError);
  addEventListener("keydown", (event) => {
    if (event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "e") nextError();
    if (event.key === "f" && at.live) setFollow(!follow);
    if (event.key === "w") control("wrap").click();
  });
  if (at.live) more();
}
