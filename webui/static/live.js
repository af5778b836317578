// News for this page: one stream for all tabs through a shared worker; a stream of its own where there is none; asking
// now and then where there is no stream.
import { trusted } from "./trusted.js";

const say = (state) => document.dispatchEvent(new CustomEvent("live-state", { detail: state }));
const base = (document.body.dataset.root || "/").replace(/\/$/, "");

/** Call ``tell(name, data)`` for every event of these topics. */
export function listen(topics, tell) {
  const url = new URL(base + "/live", location.href).href;
  const seen = (name, data) => (!data.topic || topics.includes(data.topic) || name === "reset") && tell(name, data);
  if (window.SharedWorker) {
    try {
      const worker = new SharedWorker(trusted.createScriptURL(new URL("live-worker.js", import.meta.url).href));
      worker.port.onmessage = ({ data }) => (data.state ? say(data.state) : seen(data.name, data.data));
      worker.port.postMessage({ url, topics });
      addEventListener("pagehide", () => worker.port.postMessage({ leave: true }));
      addEventListener("pageshow", (event) => event.persisted && worker.port.postMessage({ url, topics }));
      return;
    } catch { /* a policy or an old browser forbids it: go on without */ }
  }
  direct(url, topics, seen);
}

function direct(url, topics, tell) {
  let source = null;
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(`${url}?topics=${encodeURIComponent(topics.join(","))}`);
    source.onopen = () => say("stream");
    source.onerror = () => say("off");
    for (const name of ["run", "dag", "all", "log", "reset"])
      source.addEventListener(name, (event) => tell(name, JSON.parse(event.data)));
  };
  const close = () => { source?.close(); source = null; };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  open();
}
