const verdictOf = (row) => (row?.v == null ? "unscored" : row.v === 1 ? "exact" : row.v > 0 ? "part" : "missed");
const SIGNS = { exact: "✓", missed: "✗", part: "◐", unscored: "–" };
const missLabel = (miss) => [...byId("miss").options].find((option) => option.value === miss)?.textContent ?? miss;
const FLIPS = { lost: "right → wrong", won: "wrong → right", other: "both wrong, differently", alike: "both wrong, alike" };

function verdictText(row, run) {
  const verdict = verdictOf(row);
  if (verdict === "exact") return run.won;
  if (verdict === "unscored") return row ? "not scored" : "not asked";
  const worth = verdict === "part" ? `worth ${Number(row.v.toPrecision(3))}` : "";
  return [row.miss ? missLabel(row.miss) : "", worth].filter(Boolean).join(", ") || "worth 0";
}

/** How two attempts at one sample compare: a key of FLIPS, "both" if both are right, "" if either was not scored. */
function flipOf(row, other) {
  if (row?.v == null || other?.v == null) return "";
  if (row.v === 1 || other.v === 1) return row.v === other.v ? "both" : row.v === 1 ? "lost" : "won";
  return row.miss === other.miss && row.print === other.print ? "alike" : "other";
}

function fitsResult(row, other, result) {
  if (!result) return true;
  const verdict = verdictOf(row), second = other?.byKey.get(row.key);
  if (result === "differs") return !other || (second != null && verdictOf(second) !== verdict);
  if (result in FLIPS) return !other || flipOf(row, second) === result;
  return result === (verdict === "part" ? "missed" : verdict);
}

/** The rows that all filters but that of the result let through. `found`: keys whose texts hold the words, where files were searched. */
function choose(data, run, found) {
  const [miss, category] = ["miss", "category"].map((key) => state.get(key));
  const words = (state.get("text") ?? "").toLowerCase();
  const reads = (row) => {
    if (row.sample.id.toLowerCase().includes(words) || row.sample.head.toLowerCase().includes(words)) return true;
    if (data.folder) return found?.has(row.key) ?? false;
    return searched(data.whole(row), data.textOf(row)).some((text) => text.toLowerCase().includes(words));
  };
  return run.rows.filter((row) => (!category || row.sample.category === category)
    && (!miss || (miss === "exact" || miss === "unscored" ? verdictOf(row) === miss : row.miss === miss))
    && (!words || reads(row)));
}

/** Numbers of the flips from the first run to the second, each a button that filters by it. */
function drawFlips(rows, run, other, onChoose) {
  const box = byId("flips");
  box.hidden = !other;
  if (!other) return;
  const counts = new Map();
  for (const row of rows) { const flip = flipOf(row, other.byKey.get(row.key)); counts.set(flip, (counts.get(flip) ?? 0) + 1); }
  const button = ([key, label]) => {
    const node = el("button", { type: "button", class: "quiet", "aria-pressed": String(state.get("result") === key), disabled: !counts.get(key) }, el("b", {}, String(counts.get(key) ?? 0)), ` ${label}`);
    node.addEventListener("click", () => onChoose(state.get("result") === key ? "" : key));
    return node;
  };
  box.replaceChildren(el("p", { class: "note" }, "From ", el("b", {}, run.label), " to ", el("b", {}, other.label), ":"),
    ...Object.entries(FLIPS).map(button), el("span", { class: "note" }, `${counts.get("both") ?? 0} both ${run.won}`));
  for (const key of Object.keys(FLIPS)) byId("result").querySelector(`[value="${key}"]`).textContent = `${FLIPS[key]} (${counts.get(key) ?? 0})`;
}

const ALL_DRAWN = 400, DRAWN = 160, AHEAD = 60;

/** The list of samples. Of a long one only what is near the place that is looked at is in the document. */
function listOf(onPick) {
  const list = byId("list");
  let rows = [], run = null, others = [], from = 0, height = 45;
  const mark = (row) => el("span", { class: `v-${verdictOf(row)}` }, SIGNS[verdictOf(row)]);
  const optionOf = (row, place) => {
    const beside = others.map((other) => ` | ${verdictText(other.byKey.get(row.key), other)}`).join("");
    const marks = el("span", { class: "marks", "aria-hidden": "true" }, mark(row), ...others.map((other) => mark(other.byKey.get(row.key))));
    const option = el("div", { class: "option", role: "option", id: `option-${place}`, "aria-selected": "false", "aria-setsize": rows.length, "aria-posinset": place + 1 }, marks,
      el("span", { class: "id" }, row.sample.id + (row.trial ? ` #${row.trial}` : "")),
      el("span", { class: "sub" }, `${row.sample.category} · ${verdictText(row, run)}${beside}`, row.sample.head ? el("span", { class: "unseen" }, ` · ${row.sample.head}`) : null));
    option.title = row.sample.head;
    option.addEventListener("click", () => onPick(place));
    return option;
  };
  function draw(start) {
    const all = rows.length <= ALL_DRAWN;
    from = all ? 0 : Math.min(Math.max(0, start), Math.max(0, rows.length - DRAWN));
    const shown = all ? rows : rows.slice(from, from + DRAWN), space = (n) => {
      const node = el("div", { role: "presentation" });
      node.style.height = `${n * height}px`;
      return node;
    };
    const kept = list.scrollTop;
    list.replaceChildren(...(all ? [] : [space(from)]), ...shown.map((row, place) => optionOf(row, from + place)), ...(all ? [] : [space(rows.length - from - shown.length)]));
    height = list.querySelector(".option")?.offsetHeight || height;
    list.scrollTop = kept;
  }
  function choosePlace(place) {
    list.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
    if (!byId(`option-${place}`)) draw(place - AHEAD);
    const option = byId(`option-${place}`);
    option.setAttribute("aria-selected", "true");
    list.setAttribute("aria-activedescendant", option.id);
    const top = option.offsetTop - list.offsetTop - list.clientTop;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + option.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top + option.offsetHeight - list.clientHeight;
  }
  list.addEventListener("scroll", () => {
    if (rows.length <= ALL_DRAWN) return;
    const first = Math.floor(list.scrollTop / height), last = first + Math.ceil(list.clientHeight / height);
    if ((first >= from || !from) && (last <= from + DRAWN || from + DRAWN >= rows.length)) return;
    const chosen = list.querySelector('[aria-selected="true"]')?.id;
    draw(first - AHEAD);
    if (chosen) byId(chosen)?.setAttribute("aria-selected", "true");
  }, { passive: true });
  return {
    show(next, nextRun, nextOthers) {
      [rows, run, others] = [next, nextRun, nextOthers];
      list.scrollTop = 0;
      draw(0);
    },
    choose: choosePlace,
  };
}
