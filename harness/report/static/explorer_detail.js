/** What the scorer read out of the reply: calls, a program, an answer, or whatever it notes. */
function gotBlock(row, text) {
  const kind = row.sample.kind;
  const title = kind === "code" ? "Program read" : kind === "text" ? "Answer read" : kind ? "Read out of it" : "Calls read";
  if (row.none) return block(title, el("p", {}, "None."));
  if (row.got == null) return null;
  const value = parsed(text(row.got));
  if (typeof value === "string") return block(title, pre(value, title, kind === "code" ? "code" : ""));
  if (kind === "instructions" && value && typeof value === "object") return block("Instructions", followed(value, row.sample));
  const calls = Array.isArray(value) ? value : [value];
  const isCall = (call) => call && typeof call.name === "string" && call.arguments && typeof call.arguments === "object";
  if (value === undefined || !calls.every(isCall)) return block(title, pre(pretty(text(row.got)), title));
  return block(title, ...calls.map(callWith));
}

/** Verdict by instruction, in the order of the target: to the letter, and with leniency. */
function followed(value, sample) {
  const names = (sample.instructions ?? []).map(([name]) => name.split(":").pop().replaceAll("_", " "));
  if (!Array.isArray(value.strict) || value.strict.length !== names.length) return pre(JSON.stringify(value, null, 2), "Read out of it");
  return el("ul", { class: "followed" }, ...names.map((name, place) => {
    const strict = value.strict[place], loose = value.loose?.[place];
    const kind = strict ? "exact" : loose ? "part" : "missed";
    return el("li", { class: `v-${kind}` }, `${SIGNS[kind]} `, el("span", {}, ...marked(name)), !strict && loose ? " only with leniency" : "");
  }));
}

function judgeBlock(judge) {
  if (!judge) return null;
  const facts = [judge.model, `${judge.calls} call${judge.calls === 1 ? "" : "s"}`, ms(judge.s * 1000), judge.usd != null && `$${judge.usd.toPrecision(3)}`,
    judge.prompt != null && `${judge.prompt} prompt tokens`, judge.output != null && `${judge.output} output tokens`,
    judge.agreed != null && (judge.agreed ? "same verdict in both orders" : "another verdict in the other order")].filter(Boolean);
  return block("Judged by", el("p", { class: "facts" }, ...facts.map((fact) => el("span", { class: fact.startsWith("another") ? "v-part" : "" }, ...marked(fact)))));
}

/** Parts and counts of the score as small bars. */
function partsOf(row) {
  const entries = [...Object.entries(row.parts ?? {}).filter(([name]) => !row.counts?.[name]).map(([name, value]) => [name, value, `${Math.round(value * 100)} %`]),
    ...Object.entries(row.counts ?? {}).filter(([name]) => !/^(strict|loose):/.test(name)).map(([name, [passed, of]]) => [name, of ? passed / of : 0, `${passed} of ${of}`])];
  if (!entries.length) return null;
  return el("dl", { class: "score-parts" }, ...entries.flatMap(([name, share, words]) => [
    el("dt", { class: name === "attack_success" ? "lower" : "" }, ...marked(name.replaceAll("_", " ")), name === "attack_success" ? " ↓" : null),
    el("dd", { class: name === "attack_success" ? "lower" : "" }, el("svg", { width: 64, height: 8, "aria-hidden": "true" }, el("rect", { class: "track", width: 64, height: 8 }), el("rect", { class: "fill", width: 64 * share, height: 8 })), words)]));
}

/** When the marks of an attempt came, on a scale that all attempts shown share. */
function timesBlock(row, longest) {
  if (row.steps) return stepTimes(row, longest);
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
  const facts = [tokens.prompt != null && `${tokens.prompt} prompt tokens${tokens.cached ? ` (${tokens.cached} cached)` : ""}${tokens.written ? ` (${tokens.written} written to the cache)` : ""}`,
    tokens.output != null && `${tokens.output} output tokens`, tokens.by === "chunks" && "counted by stream events", row.finish && `finish: ${row.finish}`,
    row.tries && `${row.tries} tries`, row.usd != null && `$${row.usd.toPrecision(3)}`,
    row.told_usd != null && `told: $${row.told_usd.toPrecision(3)}`, row.origin === "cached" && "from the cache of replies: its times are of then",
    row.origin === "recorded" && "on record: its times are the log's"].filter(Boolean);
  const raw = (row.tools ?? []).map((index) => pretty(text(index))).join("\n");
  const verdict = verdictOf(row);
  return el("article", { class: "card" },
    runBlock(run.label, el("p", { class: `verdict v-${verdict}` }, `${SIGNS[verdict]} ${verdictText(row, run)}`),
      row.why == null ? null : el("p", { class: "why" }, ...marked(text(row.why))),
      row.repaired == null ? null : el("p", { class: "why v-part" }, `After JSON repair it would be worth ${row.repaired}: format.`), partsOf(row)),
    row.failure == null ? null : block("Failure", el("p", { class: "why" }, ...marked(text(row.failure)))),
    judgeBlock(row.judge),
    gotBlock(row, text),
    row.steps ? timesBlock(row, longest) : null,
    stepsBlock(row, text),
    row.thought == null ? null : block("Reasoning", pre(text(row.thought), "Reasoning")),
    row.steps ? null : block("Reply, as it came", row.reply ? pre(text(row.reply), "Reply") : el("p", { class: "note" }, raw ? "No text." : "Nothing came back.")),
    raw ? block("Tool calls, as they came", pre(raw, "Tool calls")) : null,
    row.steps ? null : timesBlock(row, longest),
    facts.length ? el("p", { class: "facts block" }, ...facts.map((fact) => el("span", {}, fact))) : null);
}

function questionCard(sample, text) {
  const tools = toolsOf(sample.tools, text);
  return el("article", { class: "card" }, block("Prompt", ...messagesOf(sample.messages, text)),
    tools.length ? block(`${tools.length} tool${tools.length === 1 ? "" : "s"} offered`, el("div", {}, ...tools)) : null, targetBlock(sample, text));
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
