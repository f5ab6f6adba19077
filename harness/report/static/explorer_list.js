/** The embedded records, joined: a row knows its sample, and a text is fetched by its number. */
function readData() {
  const data = JSON.parse(byId("data").textContent);
  const text = (index) => (index == null ? null : data.texts[index]);
  const runs = new Map();
  for (const run of data.runs) {
    const rows = run.rows.map((row) => ({ ...row, trial: row.t ?? 0, sample: data.samples[row.s], key: `${row.s}#${row.t ?? 0}` }));
    runs.set(run.id, { ...run, rows, byKey: new Map(rows.map((row) => [row.key, row])) });
  }
  return { runs, text };
}

const verdictOf = (row) => (row?.v == null ? "unscored" : row.v === 1 ? "exact" : row.v > 0 ? "part" : "missed");
const SIGNS = { exact: "✓", missed: "✗", part: "◐", unscored: "–" };
const missLabel = (miss) => [...byId("miss").options].find((option) => option.value === miss)?.textContent ?? miss;

function verdictText(row, run) {
  const verdict = verdictOf(row);
  if (verdict === "exact") return run.won;
  if (verdict === "unscored") return "not scored";
  const worth = verdict === "part" ? `worth ${Number(row.v.toPrecision(3))}` : "";
  return [row.miss ? missLabel(row.miss) : "", worth].filter(Boolean).join(", ") || "worth 0";
}

/** The rows that the filters let through. */
function choose(data) {
  const run = data.runs.get(state.get("run"));
  const other = data.runs.get(state.get("beside"));
  const [result, miss, category] = ["result", "miss", "category"].map((key) => state.get(key));
  const words = (state.get("text") ?? "").toLowerCase();
  const texts = (row) => [row.reply, row.why, row.got, ...(row.sample.messages ?? []).map((message) => message.text),
    ...(row.steps ?? []).flatMap((step) => [step.reply, ...(step.calls ?? []).flatMap((call) => [call.args, call.result])])];
  const fits = (row) => {
    const verdict = verdictOf(row);
    const worth = verdict === "part" ? "missed" : verdict;
    const second = other?.byKey.get(row.key);
    return (!category || row.sample.category === category)
      && (!miss || (miss === "exact" || miss === "unscored" ? verdict === miss : row.miss === miss))
      && (!result || (result === "differs" ? !other || (second && verdictOf(second) !== verdict) : worth === result))
      && (!words || row.sample.id.toLowerCase().includes(words)
        || texts(row).some((index) => index != null && data.text(index).toLowerCase().includes(words)));
  };
  return run ? run.rows.filter(fits) : [];
}

function drawList(rows, run, other, onPick) {
  const sign = (row) => el("span", { class: `v-${verdictOf(row)}` }, SIGNS[verdictOf(row)]);
  const options = rows.map((row, place) => {
    const marks = el("span", { class: "marks", "aria-hidden": "true" }, sign(row), other ? sign(other.byKey.get(row.key)) : null);
    const name = row.sample.id + (row.trial ? ` #${row.trial}` : "");
    const beside = other ? ` | ${verdictText(other.byKey.get(row.key), other)}` : "";
    const option = el("div", { class: "option", role: "option", id: `option-${place}`, "aria-selected": "false" }, marks,
      el("span", { class: "id" }, name), el("span", { class: "sub" }, `${row.sample.category} · ${verdictText(row, run)}${beside}`));
    option.addEventListener("click", () => onPick(place));
    return option;
  });
  byId("list").replaceChildren(...options);
}
