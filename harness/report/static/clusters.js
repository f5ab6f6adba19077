setUpTips();

/* The task under the pointer, or the one that was clicked, stands out on the map. */
const map = byId("map");
const light = (id) => {
  map.classList.toggle("one", Boolean(id));
  for (const dot of map.querySelectorAll("a.dot")) dot.classList.toggle("on", dot.dataset.c === id);
};
const chosen = () => decodeURIComponent(location.hash.slice(1));
const open = () => {
  const row = byId(chosen());
  if (row?.matches("tr")) { light(chosen()); row.querySelector("details")?.setAttribute("open", ""); }
};
if (map) {
  map.addEventListener("pointerover", (event) => light(event.target.closest("a.dot")?.dataset.c ?? chosen()));
  map.addEventListener("pointerleave", () => light(chosen()));
  window.addEventListener("hashchange", open);
  open();
}
