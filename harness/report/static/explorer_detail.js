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

/** The phases of one request, from when it was due to its last byte, in milliseconds: [class, name, from, to]. */
function phasesOf(at) {
  const end = at.end ?? at.last ?? at.first ?? at.headers;
  if (end == null) return [];
  const sent = at.sent ?? 0, first = at.first ?? end, headers = Math.min(at.headers ?? sent, first), last = at.last ?? first;
  return [["t-wait", "waiting to be sent", 0, sent], ["t-head", "connecting, to the headers", sent, headers],
    ["t-first", at.first == null ? "no token came" : headers > sent ? `to first token (TTFT ${ms(first - sent)})` : "to first token", headers, first],
    ["t-rest", "generating", first, last], ["t-tail", "to last byte", last, end]].filter(([, , from, to]) => to - from > 0.005);
}

const serverText = (told) => told && Object.entries({ queue: "in its queue", prompt: "reading the prompt", predicted: "generating" })
  .filter(([key]) => told[key] != null).map(([key, words]) => `${ms(told[key])} ${words}`).join(", ");

/** When the marks of an attempt came, on a scale that all attempts shown share. */
function timesBlock(row, longest) {
  if (row.steps) return stepTimes(row, longest);
  const parts = phasesOf(row.timing ?? {});
  if (!parts.length) return null;
  const width = byId("detail").clientWidth < 480 ? 300 : 420, height = 19, scale = (width - 150) / longest;
  const svg = el("svg", { class: "times", viewBox: `0 0 ${width} ${parts.length * height}`, role: "img",
    "aria-label": parts.map(([, name, from, to]) => `${name} ${ms(to - from)}`).join(", ") });
  parts.forEach(([kind, name, from, to], place) => {
    const x = from * scale, size = Math.max(1.5, (to - from) * scale), words = `${ms(to - from)} ${name}`;
    const inside = x + size + 5 + words.length * 5.6 > width;
    svg.append(el("rect", { class: kind, x, y: place * height + 3, width: size, height: height - 7 }),
      el("text", inside ? { x: Math.max(0, Math.min(x, width - words.length * 5.6)), y: place * height + 13, class: "over" } : { x: x + size + 5, y: place * height + 13 }, words));
  });
  const told = serverText(row.server);
  return block("Time", svg, told ? el("p", { class: "note" }, `The server says: ${told}.`) : null);
}

/** What went wrong before this outcome. */
function retriesBlock(row, text) {
  if (!row.tries || row.tries < 2) return null;
  return block(`${row.tries} tries`, el("ol", { class: "retries" }, ...(row.failed ?? []).map((index) => el("li", {}, ...marked(text(index))))),
    el("p", { class: "note" }, "Times below are those of the last try."));
}

/** Where the whole of a text is that had to be cut. */
function cutNote(card, where, longest) {
  if (card.querySelector(".cut")) card.append(el("p", { class: "note" }, `Texts of more than ${longest.toLocaleString("en")} characters are cut here; the whole is in `, el("code", {}, ...marked(where)), "."));
  return card;
}

function answerCard(run, row, text, longest, letter) {
  if (!row) return el("article", { class: "card" }, runBlock(letter + run.label, el("p", { class: "note" }, "This run has no attempt at this sample.")));
  const tokens = row.tokens ?? {};
  const facts = [tokens.prompt != null && `${tokens.prompt} prompt tokens${tokens.cached ? ` (${tokens.cached} cached)` : ""}${tokens.written ? ` (${tokens.written} written to the cache)` : ""}`,
    tokens.output != null && `${tokens.output} output tokens`, tokens.by === "chunks" && "counted by stream events", row.finish && `finish: ${row.finish}`,
    row.usd != null && `$${row.usd.toPrecision(3)}`,
    row.told_usd != null && `told: $${row.told_usd.toPrecision(3)}`, row.origin === "cached" && "from the cache of replies: its times are of then",
    row.origin === "recorded" && "on record: its times are the log's"].filter(Boolean);
  const raw = (row.tools ?? []).map((index) => pretty(text(index))).join("\n");
  const verdict = verdictOf(row);
  return el("article", { class: "card" },
    runBlock(letter + run.label, el("p", { class: `verdict v-${verdict}` }, `${SIGNS[verdict]} ${verdictText(row, run)}`),
      row.why == null ? null : el("p", { class: "why" }, ...marked(text(row.why))),
      row.repaired == null ? null : el("p", { class: "why v-part" }, `After JSON repair it would be worth ${row.repaired}: format.`), partsOf(row)),
    retriesBlock(row, text),
    row.failure == null ? null : block("Failure", el("p", { class: "why" }, ...marked(text(row.failure)))),
    judgeBlock(row.judge),
    targetDiff(row, text) ?? gotBlock(row, text),
    againstWords(row, text),
    row.steps ? timesBlock(row, longest) : null,
    stepsBlock(row, text),
    row.thought == null ? null : block("Reasoning", pre(text(row.thought), "Reasoning")),
    row.steps ? null : block("Reply, as it came", row.reply ? pre(text(row.reply), "Reply") : el("p", { class: "note" }, raw ? "No text." : "Nothing came back.")),
    raw ? block("Tool calls, as they came", pre(raw, "Tool calls")) : null,
    row.steps ? null : timesBlock(row, longest),
    facts.length ? el("p", { class: "facts block" }, ...facts.map((fact) => el("span", {}, fact))) : null);
}

/** A reply in words against the answer on record, where there is but one. */
function againstWords(row, text) {
  const { sample } = row;
  if (sample.kind !== "text" || (sample.accepted ?? []).length !== 1 || !row.reply || ["choice", "regex", "numeric"].includes(sample.match)) return null;
  return folded("word by word: the answer on record struck out, the reply underlined", wordDiff(text(sample.accepted[0]), text(row.reply), "The answer on record and the reply"));
}

function questionCard(sample, text, where, longest) {
  const tools = toolsOf(sample.tools, text);
  return cutNote(el("article", { class: "card" }, block("Prompt", ...messagesOf(sample.messages, text)),
    tools.length ? block(`${tools.length} tool${tools.length === 1 ? "" : "s"} offered`, el("div", {}, ...tools)) : null, targetBlock(sample, text)), where, longest);
}

/** Replies held against the first one, pair by pair. */
function betweenCard(runs, rows, text) {
  const pairs = runs.slice(1).map((run, place) => betweenBlock(rows[0], rows[place + 1], text, [runs[0].label, run.label], ["A", "ABCD"[place + 1]])).filter(Boolean);
  return pairs.length ? el("article", { class: "card between" }, el("h4", {}, "Between the replies"), ...pairs) : null;
}

/** Draws a sample with the attempts of the chosen runs; what is not here yet is loaded first. */
function drawDetail(row, place, total, data, runs, move) {
  const detail = byId("detail"), part = data.partOf(row.place);
  const button = (label, step, off) => {
    const node = el("button", { type: "button", class: "quiet", disabled: off }, label);
    node.addEventListener("click", () => move(step));
    return node;
  };
  const title = el("div", { class: "title" },
    el("div", {}, el("h3", {}, ...marked(row.sample.id), row.trial ? ` #${row.trial}` : ""), el("span", {}, ...marked(row.sample.category))),
    el("div", { class: "buttons" }, button("← previous", -1, place === 0), button("next →", 1, place === total - 1)));
  detail.className = runs.length > 1 ? "" : "single";
  detail.dataset.shown = `${row.lane}:${row.number}`;
  if (!part.got) {
    const note = el("p", { class: "note", role: "status" }, `Loading ${data.folder}/${part.file} (${megabytes(part.bytes)}) …`);
    detail.replaceChildren(title, note);
    data.load(part).then(() => { if (detail.dataset.shown === `${row.lane}:${row.number}`) drawDetail(row, place, total, data, runs, move); },
      (error) => { note.textContent = error.message; note.className = "note v-missed"; });
    return;
  }
  if (part.file) data.load(part);
  const rows = runs.map((run) => data.whole(run.byKey.get(row.key))), text = data.textOf(row), sample = data.whole(row).sample;
  const longest = Math.max(1, ...rows.map((one) => one?.timing?.end ?? one?.timing?.last ?? 0));
  const letters = runs.length > 1 ? ["A · ", "B · ", "C · ", "D · "] : [""];
  const where = (run, file) => `results/run/${run.id}/${file}`;
  detail.replaceChildren(title, questionCard(sample, text, where(runs[0], "samples.jsonl"), data.longest),
    el("div", { class: "answers" }, ...runs.map((run, number) => cutNote(answerCard(run, rows[number], text, longest, letters[number]), where(run, "attempts.jsonl"), data.longest))),
    betweenCard(runs, rows, text) ?? "");
}
