function setUpExplorer() {
  const data = readData();
  const list = byId("list");
  const fields = ["run", "beside", "result", "miss", "category", "text"];
  let rows = [], place = -1;
  if (!data.runs.size) return () => {};

  function fill(id, entries) {
    byId(id).replaceChildren(...entries.map(([value, label]) => el("option", { value }, label)));
  }

  /** The runs, suite by suite where there are several. */
  function fillRuns() {
    const all = [...data.runs.values()];
    const option = (run) => el("option", { value: run.id }, run.label);
    const named = [...new Set(all.map((run) => run.suite))];
    byId("run").replaceChildren(...(named.length < 2 ? all.map(option)
      : named.map((suite) => el("optgroup", { label: suite }, ...all.filter((run) => run.suite === suite).map(option)))));
  }

  function pick(next, { focus = false } = {}) {
    if (!rows.length) return;
    list.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
    place = Math.min(Math.max(0, next), rows.length - 1);
    const option = byId(`option-${place}`), row = rows[place];
    option.setAttribute("aria-selected", "true");
    list.setAttribute("aria-activedescendant", option.id);
    const top = option.offsetTop - list.offsetTop;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + option.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top + option.offsetHeight - list.clientHeight;
    if (focus) list.focus({ preventScroll: true });
    remember({ run: state.get("run"), sample: row.sample.id, trial: row.trial ? String(row.trial) : "" });
    drawDetail(row, place, rows.length, data, (step) => pick(place + step, { focus: true }));
  }

  /** Draws what the state says; `quiet` leaves the address alone until the reader acts. */
  function show({ quiet = false } = {}) {
    if (!data.runs.has(state.get("run"))) state.set("run", data.runs.keys().next().value);
    const run = data.runs.get(state.get("run"));
    fillRuns();
    if (data.runs.get(state.get("beside"))?.suite !== run.suite) state.delete("beside");
    fill("beside", [["", "no other run"], ...[...data.runs.values()].filter((one) => one !== run && one.suite === run.suite).map((one) => [one.id, one.label])]);
    fill("category", [["", "all"], ...[...new Set(run.rows.map((row) => row.sample.category))].map((name) => [name, name])]);
    const lost = new Set(run.rows.map((row) => row.miss));
    for (const option of byId("miss").options) option.hidden = option.value !== "" && !lost.has(option.value);
    byId("result").querySelector('[value="exact"]').textContent = run.won;
    if (["exact", "unscored"].includes(state.get("miss"))) { state.set("result", state.get("miss")); state.delete("miss"); }
    if (state.get("beside") === run.id) state.delete("beside");
    byId("result").querySelector('[value="differs"]').hidden = !data.runs.has(state.get("beside"));
    for (const id of fields) byId(id).value = state.get(id) ?? "";
    rows = choose(data);
    drawList(rows, run, data.runs.get(state.get("beside")), (next) => pick(next, { focus: true }));
    byId("sample-count").textContent = `${rows.length} of ${run.rows.length} attempts`;
    if (!rows.length) {
      list.removeAttribute("aria-activedescendant");
      byId("detail").replaceChildren(el("p", { class: "note" }, "No attempt matches these filters."));
      return;
    }
    const trial = Number(state.get("trial") ?? 0);
    const wanted = rows.findIndex((row) => row.sample.id === state.get("sample") && row.trial === trial);
    const before = location.href;
    pick(Math.max(0, wanted));
    if (quiet) history.replaceState(null, "", before);
  }

  byId("sample-filters").addEventListener("input", (event) => {
    if (event.target.id === "run" && event.target.value === state.get("beside")) remember({ beside: state.get("run") });
    remember({ [event.target.id]: event.target.value });
    show();
  });
  byId("sample-filters").addEventListener("submit", (event) => event.preventDefault());
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
  list.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    pick(place + steps[event.key]);
  });
  byId("samples").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, pre")) return;
    event.preventDefault();
    pick(place + step);
  });
  return show;
}
