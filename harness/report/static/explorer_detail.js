const block = (title, ...children) => el("div", { class: "block" }, el("h4", {}, title), ...children);
const runBlock = (title, ...children) => el("div", { class: "block" }, el("h4", { class: "run" }, title), ...children);
const pre = (text, label) => el("pre", { tabindex: "0", role: "region", "aria-label": label }, ...marked(text));
const ms = (value) => (value >= 1000 ? `${(value / 1000).toPrecision(3)} s` : `${value.toPrecision(3)} ms`);

function parsed(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}

function pretty(text) {
  const value = parsed(text);
  return value === undefined ? text : JSON.stringify(value, null, 2);
}

function callCard(name, argumentsOf) {
  const list = el("dl");
  for (const [key, ...value] of argumentsOf) list.append(el("dt", {}, ...marked(key)), el("dd", {}, ...value));
  return el("div", { class: "call" }, el("b", {}, ...marked(name)), list.children.length ? list : " ()");
}

function targetBlock(sample, text) {
  if (sample.missing) return block("Target", el("p", { class: "note" }, "The sample is not in the run folder."));
  if (sample.expect === "no_call") return block("Target", el("p", {}, "No call: none of the tools helps here."));
  if (sample.expect === "any_call") return block("Target", el("p", {}, "At least one call, whichever it is."));
  const cards = (sample.calls ?? []).map((index) => {
    const call = parsed(text(index));
    if (!call) return pre(text(index), "Accepted call");
    return callCard(call.name, Object.entries(call.arguments).map(([key, values]) => {
      const shown = marked(values.map((value) => JSON.stringify(value)).join("  or  ") || "any value");
      return [key, ...shown, ...(call.optional.includes(key) ? [el("i", {}, "  (may be left out)")] : [])];
    }));
  });
  return block(cards.length > 1 ? `Target: ${cards.length} calls, in any order` : "Target", ...cards);
}

function gotBlock(row, text) {
  if (row.got == null) return null;
  const value = parsed(text(row.got));
  const calls = Array.isArray(value) ? value : [value];
  const isCall = (call) => call && typeof call.name === "string" && call.arguments && typeof call.arguments === "object";
  if (Array.isArray(value) && !value.length) return block("Calls read", el("p", {}, "None."));
  if (value === undefined || !calls.every(isCall)) return block("Calls read", pre(pretty(text(row.got)), "Calls read"));
  return block("Calls read", ...calls.map((call) => callCard(call.name,
    Object.entries(call.arguments).map(([key, argument]) => [key, ...marked(JSON.stringify(argument))]))));
}

/** When the marks of an attempt came, on a scale that all attempts shown share. */
function timesBlock(row, longest) {
  const at = row.timing ?? {};
  const end = at.end ?? at.last ?? at.first;
  if (end == null) return null;
  const sent = at.sent ?? 0, first = at.first ?? end, last = at.last ?? first;
  const parts = [["t-wait", "waiting to be sent", 0, sent], ["t-first", at.first == null ? "no token came" : "to first token", sent, first],
    ["t-rest", "generating", first, last], ["t-tail", "to last byte", last, end]].filter(([, , from, to]) => to - from > 0.005);
  const width = byId("detail").clientWidth < 480 ? 300 : 420, height = 19, scale = (width - 140) / longest;
  const svg = el("svg", { class: "times", viewBox: `0 0 ${width} ${parts.length * height}`, role: "img",
    "aria-label": parts.map(([, name, from, to]) => `${name} ${ms(to - from)}`).join(", ") });
  parts.forEach(([kind, name, from, to], place) => {
    const x = from * scale, size = Math.max(1.5, (to - from) * scale);
    svg.append(el("rect", { class: kind, x, y: place * height + 3, width: size, height: height - 7 }),
      el("text", { x: x + size + 5, y: place * height + 13 }, `${ms(to - from)} ${name}`));
  });
  return block("Time", svg);
}

function answerCard(run, row, text, longest) {
  if (!row) return el("article", { class: "card" }, runBlock(run.label, el("p", { class: "note" }, "This run has no attempt at this sample.")));
  const tokens = row.tokens ?? {};
  const facts = [tokens.prompt != null && `${tokens.prompt} prompt tokens${tokens.cached ? ` (${tokens.cached} cached)` : ""}`,
    tokens.output != null && `${tokens.output} output tokens`, tokens.by === "chunks" && "counted by stream events", row.finish && `finish: ${row.finish}`,
    row.tries && `${row.tries} tries`, row.usd != null && `$${row.usd.toPrecision(3)}`].filter(Boolean);
  const parts = Object.entries(row.parts ?? {}).map(([name, value]) => `${name} ${Math.round(value * 100)} %`).join(" · ");
  const raw = (row.tools ?? []).map((index) => pretty(text(index))).join("\n");
  const verdict = verdictOf(row);
  return el("article", { class: "card" },
    runBlock(run.label, el("p", { class: `verdict v-${verdict}` }, `${SIGNS[verdict]} ${verdictText(row)}`),
      row.why == null ? null : el("p", { class: "why" }, ...marked(text(row.why))), parts ? el("p", { class: "note" }, parts) : null),
    row.failure == null ? null : block("Failure", el("p", { class: "why" }, ...marked(text(row.failure)))),
    gotBlock(row, text),
    row.thought == null ? null : block("Reasoning", pre(text(row.thought), "Reasoning")),
    block("Reply, as it came", row.reply ? pre(text(row.reply), "Reply") : el("p", { class: "note" }, raw ? "No text." : "Nothing came back.")),
    raw ? block("Tool calls, as they came", pre(raw, "Tool calls")) : null,
    timesBlock(row, longest),
    facts.length ? el("p", { class: "facts block" }, ...facts.map((fact) => el("span", {}, fact))) : null);
}

function questionCard(sample, text) {
  const messages = (sample.messages ?? []).map((message) => el("div", { class: `message ${message.role}` },
    el("span", { class: "label" }, message.name ? `${message.role} · ${message.name}` : message.role),
    message.text == null ? null : el("pre", {}, ...marked(text(message.text))),
    ...(message.calls ?? []).map((index) => pre(pretty(text(index)), "Call"))));
  const tools = (sample.tools ?? []).map((tool) => el("details", { class: "tool" },
    el("summary", {}, el("b", {}, ...marked(tool.name)), " ", el("span", {}, ...marked(text(tool.text) ?? ""))),
    tool.parameters == null ? null : pre(pretty(text(tool.parameters)), "Parameters")));
  return el("article", { class: "card" }, block("Prompt", ...messages),
    block(`${tools.length} tool${tools.length === 1 ? "" : "s"} offered`, el("div", {}, ...tools)), targetBlock(sample, text));
}

function drawDetail(row, place, total, data, move) {
  const run = data.runs.get(state.get("run")), other = data.runs.get(state.get("beside"));
  const second = other?.byKey.get(row.key);
  const longest = Math.max(1, ...[row, second].map((one) => one?.timing?.end ?? one?.timing?.last ?? 0));
  const button = (label, step, off) => {
    const node = el("button", { type: "button", class: "quiet", disabled: off }, label);
    node.addEventListener("click", () => move(step));
    return node;
  };
  byId("detail").className = other ? "" : "single";
  byId("detail").replaceChildren(
    el("div", { class: "title" },
      el("div", {}, el("h3", {}, row.sample.id + (row.trial ? ` #${row.trial}` : "")), el("span", {}, row.sample.category)),
      el("div", { class: "buttons" }, button("← previous", -1, place === 0), button("next →", 1, place === total - 1))),
    questionCard(row.sample, data.text),
    el("div", { class: "answers" }, answerCard(run, row, data.text, longest), other ? answerCard(other, second, data.text, longest) : null));
}
