/** What the reader looks at, kept in the address so that a link leads back to it. */
const EXPLORER_KEYS = ["run", "sample", "trial", "beside", "result", "miss", "category", "text"];
const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");

function remember(changes) {
  for (const [key, value] of Object.entries(changes)) {
    if (value) state.set(key, value); else state.delete(key);
  }
  history.replaceState(null, "", state.toString() ? `#${state}` : location.pathname + location.search);
}

/** Takes over an address that was followed: the explorer's keys as a whole, the table's stay. */
function follow() {
  if (!location.hash.includes("=")) return false;
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const key of EXPLORER_KEYS) {
    if (wanted.get(key)) state.set(key, wanted.get(key)); else state.delete(key);
  }
  remember({});
  return true;
}
