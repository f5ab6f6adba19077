/** What two replies, or a reply and its target, have in common. The verdicts on arguments are the scorer's own. */
const MOST_CELLS = 4e6;

/** Pieces [kind, items]: "same", "gone" (only in the first list), "new" (only in the second); null if they are too long to compare. */
function diffOf(one, two) {
  let start = 0, end = 0;
  while (start < one.length && start < two.length && one[start] === two[start]) start += 1;
  while (end < one.length - start && end < two.length - start && one[one.length - 1 - end] === two[two.length - 1 - end]) end += 1;
  const a = one.slice(start, one.length - end), b = two.slice(start, two.length - end), width = b.length + 1;
  if (a.length * b.length > MOST_CELLS) return null;
  // Lengths of the longest common subsequences of what is left, from the back.
  const longest = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) for (let j = b.length - 1; j >= 0; j -= 1) {
    longest[i * width + j] = a[i] === b[j] ? longest[(i + 1) * width + j + 1] + 1 : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
  }
  const pieces = [];
  const add = (kind, item) => { if (pieces.at(-1)?.[0] === kind) pieces.at(-1)[1].push(item); else pieces.push([kind, [item]]); };
  one.slice(0, start).forEach((item) => add("same", item));
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { add("same", a[i]); i += 1; j += 1; }
    else if (j >= b.length || (i < a.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) { add("gone", a[i]); i += 1; }
    else { add("new", b[j]); j += 1; }
  }
  one.slice(one.length - end).forEach((item) => add("same", item));
  return pieces;
}

const wordsOf = (text) => text.match(/⟦U\+[0-9A-F]{4,6}⟧|\s+|[\p{L}\p{N}\p{M}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
const TAGS = { same: "span", gone: "del", new: "ins" };

/** Two texts as one, word by word: what only the first has is struck out, what only the second has underlined. */
function wordDiff(one, two, label) {
  if (one === two) return el("p", { class: "note" }, "Word for word the same.");
  const pieces = diffOf(wordsOf(one), wordsOf(two)) ?? diffOf(one.split(/(?<=\n)/), two.split(/(?<=\n)/));
  if (!pieces) return el("p", { class: "note" }, "Too long to compare word by word.");
  return el("pre", { class: "words", tabindex: "0", role: "region", "aria-label": label }, ...pieces.map(([kind, items]) => el(TAGS[kind], {}, ...marked(items.join("")))));
}

/** Calls read out of a reply; null if what was read is no list of calls. */
function callsOf(row, text) {
  if (row?.none) return [];
  const value = row?.got == null ? null : parsed(text(row.got));
  const isCall = (call) => call && typeof call.name === "string" && call.arguments && typeof call.arguments === "object";
  return Array.isArray(value) && value.every(isCall) ? value : null;
}

const valueText = (value) => JSON.stringify(value) ?? "";
const sameValue = (one, two) => valueText(inKeyOrder(one)) === valueText(inKeyOrder(two));
function inKeyOrder(value) {
  if (Array.isArray(value)) return value.map(inKeyOrder);
  if (!value || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, inKeyOrder(value[key])]));
}
const hasKey = (object, key) => Object.prototype.hasOwnProperty.call(object, key);

/** Places of calls that belong together: equal ones first, then those of one name, then by order; -1 for none. */
function pairedCalls(one, two) {
  const left = new Set(one.keys()), right = new Set(two.keys()), found = [];
  for (const fits of [(a, b) => sameValue(a, b), (a, b) => a.name === b.name, () => true]) {
    for (const a of [...left]) {
      const b = [...right].find((place) => fits(one[a], two[place]));
      if (b == null) continue;
      left.delete(a); right.delete(b); found.push([a, b]);
    }
  }
  return [...found.sort((x, y) => x[0] - y[0]), ...[...left].map((a) => [a, -1]), ...[...right].map((b) => [-1, b])];
}

/** A table of one pair of calls. rows: [argument, first, second, sign, note]; sign is ✓, ✗, ≠ or nothing. */
function pairTable(title, heads, rows) {
  const cell = (value) => (value == null ? el("td", { class: "absent" }, "left out") : el("td", {}, ...marked(value)));
  const kind = { "✓": "exact", "✗": "missed", "≠": "part" };
  return el("div", { class: "scroll pair", tabindex: "0", role: "region", "aria-label": title.textContent }, el("table", {}, el("caption", {}, title),
    rows.length ? el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "argument"), ...heads.map((head) => el("th", { scope: "col" }, head)))) : null,
    el("tbody", {}, ...rows.map(([name, first, second, sign, note]) => el("tr", {},
      el("th", { scope: "row" }, sign ? el("span", { class: `v-${kind[sign]}` }, `${sign}\u00a0`) : "\u00a0\u00a0", ...marked(name)), cell(first),
      note ? el("td", { class: second == null ? "absent" : "" }, ...marked(second ?? "left out"), el("div", { class: sign === "✗" ? "said" : "" }, ...marked(note))) : cell(second))))));
}

/** The calls read against those wanted, argument by argument, with what the scorer's rules say of each. */
function targetDiff(row, text) {
  const made = callsOf(row, text), wanted = (row.sample.calls ?? []).map((index) => parsed(text(index)));
  if (!made?.length || !wanted.length || wanted.some((call) => !call) || (row.v !== 1 && !row.held)) return null;
  const right = (call) => ({ name: call.name, arguments: Object.fromEntries(Object.entries(call.arguments).map(([key, values]) => [key, values[0]])) });
  const pairs = row.held ?? pairedCalls(wanted.map(right), made).map(([a, b]) => [a, b, {}]);
  const tables = pairs.map(([a, b, faults]) => {
    const call = wanted[a], given = made[b];
    const title = el("span", {});
    if (!given) { title.append(el("span", { class: "v-missed" }, "✗ "), ...marked(call.name), ": not called"); return pairTable(title, [], []); }
    if (!call) { title.append(el("span", { class: "v-missed" }, "✗ "), ...marked(given.name), ": one call too many"); return pairTable(title, [], []); }
    const named = call.name.replaceAll(".", "_") === given.name.replaceAll(".", "_");
    title.append(el("span", { class: named ? "v-exact" : "v-missed" }, named ? "✓ " : "✗ "), ...marked(given.name), ...(named ? [] : [", wanted: ", ...marked(call.name)]));
    const names = [...new Set([...Object.keys(call.arguments), ...Object.keys(given.arguments)])];
    return pairTable(title, ["wanted", "read"], names.map((name) => {
      const accepted = hasKey(call.arguments, name) ? call.arguments[name].map(valueText).join("  or  ") || "any value" : null;
      const value = hasKey(given.arguments, name) ? valueText(given.arguments[name]) : null;
      const fault = hasKey(faults, name) ? text(faults[name]) : null;
      const note = fault ?? (value == null ? "which is allowed" : "");
      return [name, accepted ?? "no such argument", value, !named ? "" : fault != null ? "✗" : "✓", named ? note : ""];
    }));
  });
  return block(wanted.length > 1 || made.length > 1 ? "Calls read, against the target (in any order)" : "Call read, against the target", ...tables);
}

/** The calls of two replies, argument by argument. */
function callDiff(one, two, heads) {
  if (!one.length && !two.length) return [el("p", { class: "note" }, "Neither calls a tool.")];
  if (one.length === two.length && pairedCalls(one, two).every(([a, b]) => a >= 0 && b >= 0 && sameValue(one[a], two[b]))) return [el("p", { class: "note" }, ...marked(`The same call${one.length > 1 ? "s" : ""}: ${one.map((call) => call.name).join(", ")}.`))];
  return pairedCalls(one, two).map(([a, b]) => {
    const first = one[a], second = two[b], title = el("span", {});
    title.append(...marked((first ?? second).name), ...(!second ? [`: only in ${heads[0]}`] : !first ? [`: only in ${heads[1]}`] : first.name !== second.name ? [" / ", ...marked(second.name)] : []));
    const names = [...new Set([...Object.keys(first?.arguments ?? {}), ...Object.keys(second?.arguments ?? {})])];
    const value = (call, name) => (call && hasKey(call.arguments, name) ? valueText(call.arguments[name]) : null);
    return pairTable(title, heads, names.map((name) => {
      const x = value(first, name), y = value(second, name);
      const equal = x != null && y != null && sameValue(first.arguments[name], second.arguments[name]);
      return [name, x, y, first && second ? (equal ? "✓" : "≠") : "", ""];
    }));
  });
}

/** The first reply held against another one: by calls, by steps, or word by word. */
function betweenBlock(first, second, text, names, letters) {
  const title = `${letters[0]} → ${letters[1]}: ${names[0]} → ${names[1]}`;
  if (!first || !second) return null;
  if (first.steps && second.steps) {
    const lines = (row) => row.steps.flatMap((step) => (step.calls ?? []).map((call) => `${call.name}(${text(call.args) ?? ""})\n`));
    return block(title, wordlessDiff(lines(first), lines(second), title));
  }
  const one = callsOf(first, text), two = callsOf(second, text);
  if ((one?.length || two?.length) && one && two) return block(title, ...callDiff(one, two, letters));
  const said = [first, second].map((row) => [text(row.reply) ?? "", ...(row.tools ?? []).map((index) => text(index))].filter(Boolean).join("\n"));
  if (!said[0] || !said[1]) return block(title, el("p", { class: "note" }, !said[0] && !said[1] ? "Neither said anything." : `Only ${names[said[0] ? 0 : 1]} said anything.`));
  return block(title, wordDiff(said[0], said[1], title));
}

/** Calls of two agents, line by line. */
function wordlessDiff(one, two, label) {
  if (!one.length && !two.length) return el("p", { class: "note" }, "Neither called a tool.");
  const pieces = diffOf(one, two);
  if (!pieces) return el("p", { class: "note" }, "Too many calls to compare.");
  if (pieces.every(([kind]) => kind === "same")) return el("p", { class: "note" }, "The same calls in the same order.");
  return el("pre", { class: "words", tabindex: "0", role: "region", "aria-label": label }, ...pieces.map(([kind, items]) => el(TAGS[kind], {}, ...marked(items.join("")))));
}
