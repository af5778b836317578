// Runs once for all tabs of a browser: six streams would use up its connections to the server.
const ports = new Map(); // port -> topics
let url = "", source = null, opened = "", timer = 0, fails = 0, polling = 0;

onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.leave) ports.delete(port);
    else { url = data.url; ports.set(port, data.topics); if (source?.readyState === 1) port.postMessage({ state: "stream" }); }
    clearTimeout(timer);
    timer = setTimeout(connect, data.leave ? 2000 : 30);
  };
};

const wanted = () => [...new Set([...ports.values()].flat())].sort().join(",");
const toAll = (message) => { for (const port of ports.keys()) port.postMessage(message); };

function connect() {
  const topics = wanted();
  if (topics === opened && source && source.readyState !== 2) return;
  source?.close();
  source = null;
  opened = topics;
  clearTimeout(polling);
  if (!topics) return;
  source = new EventSource(`${url}?topics=${encodeURIComponent(topics)}`);
  source.onopen = () => { fails = 0; clearTimeout(polling); toAll({ state: "stream" }); };
  source.onerror = () => {
    toAll({ state: "off" });
    // The browser tries again by itself unless the server refused; then we ask now and then, and try a stream later.
    if (source.readyState === 2) { source = null; opened = ""; fails += 1; poll(); timer = setTimeout(connect, Math.min(60000, 4000 * 2 ** fails)); }
  };
  for (const name of ["run", "dag", "all", "log", "reset"])
    source.addEventListener(name, (event) => toAll({ name, data: JSON.parse(event.data) }));
}

async function poll() {
  clearTimeout(polling);
  if (source || !ports.size) return;
  let wait = 3000;
  try {
    const answer = await fetch(`${url}/now?topics=${encodeURIComponent(wanted())}`);
    if (answer.status === 401 || answer.status === 403) return;
    if (answer.ok) { toAll({ state: "poll" }); for (const [name, data] of await answer.json()) toAll({ name, data }); }
  } catch { wait = 10000; }
  polling = setTimeout(poll, wait);
}
