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
if (byId("filters")) {
  setUpTables();
  const show = setUpExplorer();
  const linked = state.has("run") || state.has("sample");
  show({ quiet: !linked });
  if (linked) byId("samples").scrollIntoView({ behavior: "instant" });
  addEventListener("hashchange", () => {
    if (!follow()) return;
    show();
    byId("samples").scrollIntoView();
  });
}
