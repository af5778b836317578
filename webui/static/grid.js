// Cells of the grid: drawn for the rows in view only, from one letter for each run.
const NAMES = { s: "success", f: "failed", r: "running", q: "queued", c: "scheduled", d: "deferred", y: "up_for_retry",
  e: "up_for_reschedule", u: "upstream_failed", k: "skipped", x: "removed", t: "restarting", w: "awaiting_input", n: "none" };
const SVG = "http://www.w3.org/2000/svg";

function draw(cell, runs, base) {
  const task = cell.dataset.t;
  const codes = cell.textContent;
  const held = (cell.dataset.held || "").split(" ");
  const parts = [...codes].map((code, number) => {
    const name = NAMES[code.toLowerCase()];
    const link = document.createElement("a");
    link.className = `cell s-${name || "none"}`;
    if (!name) return link;
    if (code !== code.toLowerCase()) link.className += " again";
    link.href = `${base.replace(/R$/, encodeURIComponent(runs[number]))}/tasks/${encodeURIComponent(task)}`;
    if (held.includes(String(number))) link.className = "cell s-held held";
    link.title = `${task} · ${name.replaceAll("_", " ")}${link.classList.contains("held") ? " · held" : ""}`;
    const svg = document.createElementNS(SVG, "svg");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", link.classList.contains("held") ? "#s-held" : `#s-${name}`);
    svg.append(use);
    link.append(svg);
    return link;
  });
  cell.replaceChildren(...parts);
  cell.classList.add("drawn");
}

function start() {
  const grid = document.getElementById("grid");
  if (!grid) return;
  const runs = grid.dataset.runs.split("\n");
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target, runs, grid.dataset.base); }
  }, { rootMargin: "400px" });
  for (const cell of grid.querySelectorAll(".cells:not(.drawn)")) seen.observe(cell);
  const box = grid.querySelector(".gridbox");
  if (box) box.scrollLeft = box.scrollWidth;
}
start();
document.addEventListener("fresh", start);
