/**
 * What the reader looks at, kept in the address so that a link leads back to it, and the back button too.
 * An entry of the history that is ours carries the whole state; one without came from a link or from typing.
 */
const EXPLORER_KEYS = ["run", "sample", "trial", "beside", "beside2", "beside3", "result", "miss", "category", "text"];
const TABLE_KEYS = ["q", "p", "older", "suite", "where", "size", "licence", "hardware", "board", "sort", "order", "cols"];
const inAddress = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
const state = inAddress();
/** Whether the reader looks at samples: until then the sample that happens to show is in no address. */
let looking = EXPLORER_KEYS.some((key) => state.has(key));

function told() {
  const shown = new URLSearchParams(state);
  if (!looking) for (const key of EXPLORER_KEYS) shown.delete(key);
  return shown.toString();
}

/** Changes the state and the address; `push` makes an entry that the back button returns from. */
function remember(changes, { push = false } = {}) {
  for (const [key, value] of Object.entries(changes)) {
    if (value) state.set(key, value); else state.delete(key);
    looking ||= EXPLORER_KEYS.includes(key);
  }
  const kept = { state: told() }, address = kept.state ? `#${kept.state}` : location.pathname + location.search;
  if (push && history.state?.state !== kept.state) history.pushState(kept, "", address);
  else history.replaceState(kept, "", address);
}

/** Marks the entry that the page was opened with as ours, without touching its address. */
function markEntry() { history.replaceState({ state: told() }, "", location.href); }

/** Takes back what the address says, where a sample was shown that nobody asked for. */
function lookAway(address) {
  const asked = new URLSearchParams(address.split("#")[1] ?? "");
  looking = EXPLORER_KEYS.some((key) => asked.has(key));
  history.replaceState({ state: told() }, "", address);
}

function takeOver(wanted, keys) {
  for (const key of keys) {
    if (wanted.get(key)) state.set(key, wanted.get(key)); else state.delete(key);
  }
  looking = EXPLORER_KEYS.some((key) => state.has(key));
}

/** Takes over another address: "all" of it from our own entry or a permalink, from a link on the page the "explorer"'s keys. */
function follow() {
  const own = history.state?.state;
  if (own != null) {
    takeOver(new URLSearchParams(own), [...TABLE_KEYS, ...EXPLORER_KEYS]);
    return "all";
  }
  const wanted = inAddress();
  if (!location.hash.includes("=")) { markEntry(); return ""; }
  const whole = TABLE_KEYS.some((key) => wanted.has(key));
  takeOver(wanted, whole ? [...TABLE_KEYS, ...EXPLORER_KEYS] : EXPLORER_KEYS);
  remember({});
  return whole ? "all" : "explorer";
}
