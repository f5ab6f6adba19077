const ms = (value) => (value >= 1000 ? `${(value / 1000).toPrecision(3)} s` : `${value.toPrecision(3)} ms`);
const DISTURBED = { error: "failed on purpose", nonsense: "answered nonsense on purpose", timeout: "timed out on purpose" };

const endOf = (timing) => timing?.end ?? timing?.last ?? timing?.first ?? 0;

/** One call of an agent with what its tool gave back. */
function resultCard(call, text) {
  const given = call.args == null ? {} : parsed(text(call.args));
  const head = given === undefined ? el("div", { class: "call" }, el("b", {}, ...marked(call.name)), " ", ...marked(text(call.args)))
    : callWith({ name: call.name, arguments: given });
  const notes = [call.disturbed && `⚡ ${DISTURBED[call.disturbed] ?? call.disturbed}`, call.error && !call.disturbed && "✗ error",
    call.idle && !call.disturbed && "did not run", call.ms ? ms(call.ms) : null].filter(Boolean).join(" · ");
  return el("div", { class: `result${call.disturbed ? " disturbed" : call.error ? " failed" : ""}` }, head,
    el("div", { class: "back" }, el("p", { class: "label" }, "gave back", notes ? el("span", {}, notes) : null),
      call.result == null ? el("p", { class: "note" }, "nothing") : pre(text(call.result), `Result of ${call.name}`)));
}

function stepCard(step, text) {
  const time = endOf(step.timing);
  const calls = step.calls ?? [];
  const facts = [`${step.i + 1}`, calls.length ? calls.map((call) => call.name).join(", ") : step.unreadable != null ? "unreadable" : "answer",
    time ? ms(time) : null, step.out != null && `${step.out} tokens`, step.tries && `${step.tries} tries`].filter(Boolean);
  const trouble = step.unreadable != null || calls.some((call) => call.error);
  const raw = (step.tools ?? []).map((index) => pretty(text(index))).join("\n");
  return el("li", { class: trouble ? "step trouble" : "step" },
    el("p", { class: "facts" }, el("b", {}, facts[0]), ...facts.slice(1).map((fact) => el("span", {}, fact))),
    step.thought == null ? null : folded("reasoning", pre(text(step.thought), "Reasoning")),
    step.reply == null ? null : calls.length ? folded("reply, as it came", pre(text(step.reply), "Reply")) : pre(text(step.reply), "Reply"),
    raw ? pre(raw, "Tool calls, as they came") : null,
    step.unreadable == null ? null : el("p", { class: "told" }, "⚠ could not be read, and the model was told: ", ...marked(text(step.unreadable))),
    ...calls.map((call) => resultCard(call, text)));
}

/** Turn by turn: replies with their calls and results, and where the checker spoke. */
function stepsBlock(row, text) {
  if (!row.steps) return null;
  const found = [];
  let turn = -1;
  row.steps.forEach((step, place) => {
    if (row.steps_cut && place === row.steps.length - 1) found.push(el("li", { class: "mark cut" }, `${row.steps_cut} steps are left out here`));
    if (step.i === row.feedback) found.push(el("li", { class: "mark" }, "The checker says what is wrong; one more try."));
    else if (step.turn !== turn && (step.turn || row.steps.some((one) => one.turn))) found.push(el("li", { class: "mark" }, `Turn ${step.turn + 1}`));
    turn = step.turn;
    found.push(stepCard(step, text));
  });
  if (row.ended === "step_limit") found.push(el("li", { class: "mark" }, "Out of steps."));
  if (row.ended === "off_record") found.push(el("li", { class: "mark" }, "The record does not go on from here."));
  const count = row.steps.length + (row.steps_cut ?? 0);
  return block(`${count} step${count === 1 ? "" : "s"}`, el("ol", { class: "steps-list" }, ...found));
}

/** Where the time of a task went: for each step its reply, then its tools, one after the other. */
function stepTimes(row, longest) {
  const bars = [];
  let at = 0;
  for (const step of row.steps) {
    const end = endOf(step.timing), first = Math.min(step.timing?.first ?? end, end);
    const tools = (step.calls ?? []).reduce((sum, call) => sum + (call.ms ?? 0), 0);
    bars.push([step.i + 1, at, first, end - first, tools, phasesOf(step.timing ?? {})]);
    at += end + tools;
  }
  if (!at) return null;
  const width = byId("detail").clientWidth < 480 ? 300 : 420, line = 13, scale = (width - 84) / Math.max(longest, at);
  const total = row.timing?.end ?? at;
  const svg = el("svg", { class: "times", viewBox: `0 0 ${width} ${bars.length * line + 2}`, role: "img",
    "aria-label": `${ms(total)} in all; ${bars.map(([number, , first, rest, tools]) => `step ${number}: reply ${ms(first + rest)}${tools ? `, tools ${ms(tools)}` : ""}`).join("; ")}` });
  bars.forEach(([number, from, first, rest, tools, phases], place) => {
    const y = place * line + 2;
    let x = 20 + from * scale;
    svg.append(el("text", { x: 15, y: y + 9, "text-anchor": "end" }, String(number)));
    for (const [kind, size] of [...phases.map(([kind, , start, stop]) => [kind, stop - start]), ["t-tool", tools]]) {
      if (size <= 0.005) continue;
      const wide = Math.max(1, size * scale);
      svg.append(el("rect", { class: kind, x, y, width: wide, height: line - 4 }));
      x += wide;
    }
    svg.append(el("text", { x: x + 4, y: y + 9 }, ms(first + rest + tools)));
  });
  const drawn = new Set(bars.flatMap((bar) => [...bar[5].map(([kind]) => kind), bar[4] ? "t-tool" : ""]));
  const keys = [["t-wait", "waiting to be sent"], ["t-head", "connecting, to the headers"], ["t-first", "to first token"], ["t-rest", "generating"], ["t-tail", "to last byte"], ["t-tool", "tools"]].filter(([kind]) => drawn.has(kind));
  return block(`Time: ${ms(total)}`, svg, el("ul", { class: "legend" }, ...keys.map(([kind, name]) => el("li", {},
    el("svg", { width: 12, height: 10, "aria-hidden": "true" }, el("rect", { class: kind, width: 12, height: 10 })), name))));
}
