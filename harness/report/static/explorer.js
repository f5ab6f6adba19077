const BESIDE = ["beside", "beside2", "beside3"];

function setUpExplorer() {
  const data = readData();
  const fields = ["run", ...BESIDE, "result", "miss", "category", "text"];
  let rows = [], place = -1, search = null;
  if (!data.runs.size) return () => {};
  const runOf = (key) => data.runs.get(state.get(key));
  const others = () => BESIDE.map(runOf).filter(Boolean);
  const list = listOf((next) => pick(next, { focus: true }));

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

  /** The other columns: runs of the same suite, each once, without a gap; one empty choice is offered after the last. */
  function fillBeside(run) {
    const chosen = [...new Set(BESIDE.map((key) => state.get(key)))].filter((id) => id && id !== run.id && data.runs.get(id)?.suite === run.suite);
    const mates = [...data.runs.values()].filter((one) => one !== run && one.suite === run.suite);
    BESIDE.forEach((key, number) => {
      if (chosen[number]) state.set(key, chosen[number]); else state.delete(key);
      fill(key, [["", number ? "none" : "no other run"], ...mates.filter((one) => chosen[number] === one.id || !chosen.includes(one.id)).map((one) => [one.id, one.label])]);
      byId(key).closest("label").hidden = number > 0 && (!chosen[number - 1] || mates.length <= number);
    });
  }

  function pick(next, { focus = false } = {}) {
    if (!rows.length) return;
    place = Math.min(Math.max(0, next), rows.length - 1);
    const row = rows[place];
    list.choose(place);
    if (focus) byId("list").focus({ preventScroll: true });
    remember({ run: state.get("run"), sample: row.sample.id, trial: row.trial ? String(row.trial) : "" });
    drawDetail(row, place, rows.length, data, [runOf("run"), ...others()], (step) => pick(place + step, { focus: true }));
  }

  /** To the next sample, in this direction, at which only one of the first two runs is right. */
  function flip(step) {
    const [other] = others();
    if (!other) { say("Choose a run beside this one: a flip is a sample that only one of the two gets right."); return; }
    for (let next = place + step; next >= 0 && next < rows.length; next += step) {
      if (["lost", "won"].includes(flipOf(rows[next], other.byKey.get(rows[next].key)))) { pick(next); say(rows[next].sample.id); return; }
    }
    say(step > 0 ? "No flip after this sample." : "No flip before this sample.");
  }

  /** A link may name a sample alone, or one that the filters or the chosen run do not let through: the sample wins. */
  function settle() {
    const sample = state.get("sample");
    if (!data.runs.has(state.get("run"))) {
      const all = [...data.runs.values()];
      state.set("run", (all.find((run) => sample && run.rows.some((row) => row.sample.id === sample)) ?? all[0]).id);
    }
    if (["exact", "unscored"].includes(state.get("miss"))) { state.set("result", state.get("miss")); state.delete("miss"); }
  }

  function searchState(run) {
    const note = byId("search-state"), words = (state.get("text") ?? "").toLowerCase(), files = data.parts.filter((part) => part.file);
    note.hidden = !words || !data.folder;
    if (note.hidden || search?.done === `${run.id} ${words}`) { note.textContent = note.hidden ? "" : "All texts of this run were searched."; return; }
    if (search?.busy === `${run.id} ${words}`) return;
    const size = files.reduce((sum, part) => sum + part.bytes, 0);
    const button = el("button", { type: "button", class: "quiet" }, `Search all texts (${files.length} files, ${megabytes(size)})`);
    button.addEventListener("click", () => searchTexts(run, words));
    note.replaceChildren("Names and beginnings of prompts were searched. ", button);
  }

  async function searchTexts(run, words) {
    const mine = { busy: `${run.id} ${words}`, found: new Set() }, note = byId("search-state");
    search = mine;
    const stop = el("button", { type: "button", class: "quiet" }, "Stop"), told = el("span", {}, "");
    stop.addEventListener("click", () => { if (search === mine) { search = null; show({ quiet: true }); } });
    note.replaceChildren(told, " ", stop);
    const stopped = () => search !== mine || (state.get("text") ?? "").toLowerCase() !== words || state.get("run") !== run.id;
    try {
      mine.found = await searchFiles(data, run, words, { progress: (at, of) => { told.textContent = `Searching file ${at + 1} of ${of} …`; }, stopped });
    } catch (error) {
      if (search === mine) search = null;
      note.replaceChildren(error.message);
      return;
    }
    if (!mine.found) return;
    mine.busy = null; mine.done = `${run.id} ${words}`;
    show({ quiet: true });
    say(`${rows.length} samples found`);
  }

  /** Draws what the state says; `quiet` leaves the address alone until the reader acts. */
  function show({ quiet = false, linked = false } = {}) {
    settle();
    const run = runOf("run");
    fillRuns();
    fillBeside(run);
    const [other] = others();
    fill("category", [["", "all"], ...[...new Set(run.rows.map((row) => row.sample.category))].map((name) => [name, name])]);
    const lost = new Set(run.rows.map((row) => row.miss));
    for (const option of byId("miss").options) option.hidden = option.value !== "" && !lost.has(option.value);
    byId("result").querySelector('[value="exact"]').textContent = run.won;
    for (const key of ["differs", ...Object.keys(FLIPS)]) byId("result").querySelector(`[value="${key}"]`).hidden = !other;
    if (!other && (state.get("result") === "differs" || state.get("result") in FLIPS)) state.delete("result");
    const trial = Number(state.get("trial") ?? 0);
    const isWanted = (row) => row.sample.id === state.get("sample") && row.trial === trial;
    const fitting = () => {
      const found = search?.done === `${run.id} ${(state.get("text") ?? "").toLowerCase()}` ? search.found : null;
      const base = choose(data, run, found);
      return [base, base.filter((row) => fitsResult(row, other, state.get("result")))];
    };
    let [base, next] = fitting();
    if (linked && run.rows.some(isWanted) && !next.some(isWanted)) {
      for (const key of ["result", "miss", "category", "text"]) state.delete(key);
      [base, next] = fitting();
    }
    rows = next;
    for (const id of fields) byId(id).value = state.get(id) ?? "";
    searchState(run);
    drawFlips(base, run, other, (result) => { remember({ result }); show(); });
    list.show(rows, run, others());
    byId("sample-count").textContent = `${rows.length.toLocaleString("en")} of ${run.rows.length.toLocaleString("en")} attempts`;
    if (!rows.length) {
      place = -1;
      byId("list").removeAttribute("aria-activedescendant");
      byId("detail").replaceChildren(el("p", { class: "note" }, "No attempt matches these filters."));
      return;
    }
    const before = location.href;
    pick(Math.max(0, rows.findIndex(isWanted)));
    if (linked && state.get("sample") && !run.rows.some((row) => row.sample.id === new URLSearchParams(before.split("#")[1] ?? "").get("sample"))) say("The sample of this link is not on this page.");
    if (quiet) lookAway(before);
  }

  const notes = [data.folder && `Prompts and replies are in the folder ${data.folder} beside this page and are loaded when you look at them: copy it along with the page.`,
    data.leftOut.length && `To keep this page below 5 MB the samples of these runs are not listed: ${data.leftOut.join("; ")}. A page of their own: python -m harness do=report runs=[…].`].filter(Boolean);
  byId("sample-notes").hidden = !notes.length;
  byId("sample-notes").textContent = notes.join(" ");
  byId("sample-filters").addEventListener("input", (event) => {
    if (event.target.id === "run" && event.target.value === state.get("beside")) remember({ beside: state.get("run") });
    remember({ [event.target.id]: event.target.value });
    show();
  });
  byId("sample-filters").addEventListener("submit", (event) => event.preventDefault());
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
  byId("list").addEventListener("keydown", (event) => {
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    pick(place + steps[event.key]);
  });
  setUpKeys({ step: (by) => pick(place + by), flip });
  return show;
}
