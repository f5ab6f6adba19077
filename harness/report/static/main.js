function setUpTheme() {
  const button = byId("theme"), root = document.documentElement, order = ["auto", "light", "dark"];
  const store = (value) => { try { localStorage.setItem("theme", value); } catch { /* a private window keeps nothing */ } };
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  let now = order.includes(stored()) ? stored() : "auto";
  const apply = () => {
    if (now === "auto") delete root.dataset.theme; else root.dataset.theme = now;
    button.textContent = `Theme: ${now}`;
  };
  button.addEventListener("click", () => { now = order[(order.indexOf(now) + 1) % order.length]; store(now); apply(); });
  apply();
}

setUpTheme();
setUpTips();
setUpPictures();
if (byId("filters")) {
  const restore = setUpTables();
  const show = setUpExplorer();
  const linked = state.has("run") || state.has("sample");
  show({ quiet: !linked, linked });
  markEntry();
  if (linked) byId("samples").scrollIntoView({ behavior: "instant" });
  addEventListener("hashchange", () => {
    const taken = follow();
    if (taken === "all") restore();
    if (taken) show({ quiet: !state.has("run"), linked: true });
    if (taken === "explorer") byId("samples").scrollIntoView();
  });
}
