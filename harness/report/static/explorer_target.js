const block = (title, ...children) => el("div", { class: "block" }, el("h4", {}, title), ...children);
const runBlock = (title, ...children) => el("div", { class: "block" }, el("h4", { class: "run" }, title), ...children);
const pre = (text, label, kind) => el("pre", { tabindex: "0", role: "region", "aria-label": label, class: kind ?? "" }, ...marked(text));

function parsed(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}

function pretty(text) {
  const value = parsed(text);
  return value === undefined ? text : JSON.stringify(value, null, 2);
}

/** A name with a list of keys and values below it. */
function callCard(name, argumentsOf) {
  const list = el("dl");
  for (const [key, ...value] of argumentsOf) list.append(el("dt", {}, ...marked(key)), el("dd", {}, ...value));
  return el("div", { class: "call" }, el("b", {}, ...marked(name)), list.children.length ? list : " ()");
}

const callWith = (call) => callCard(call.name, Object.entries(call.arguments ?? {}).map(([key, value]) => [key, ...marked(JSON.stringify(value))]));

function messagesOf(messages, text) {
  return (messages ?? []).map((message) => el("div", { class: `message ${message.role}` },
    el("span", { class: "label" }, message.name ? `${message.role} · ${message.name}` : message.role),
    message.text == null ? null : el("pre", {}, ...marked(text(message.text))),
    ...(message.calls ?? []).map((index) => pre(pretty(text(index)), "Call"))));
}

function toolsOf(tools, text) {
  return (tools ?? []).map((tool) => el("details", { class: "tool" },
    el("summary", {}, el("b", {}, ...marked(tool.name)), " ", el("span", {}, ...marked(text(tool.text) ?? ""))),
    tool.parameters == null ? null : pre(pretty(text(tool.parameters)), "Parameters")));
}

/** A closed part of a card, for what is long and seldom looked at. */
const folded = (title, ...children) => el("details", { class: "fold" }, el("summary", {}, ...marked(title)), ...children);

function toolTarget(sample, text) {
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

function instructionTarget(sample, text) {
  const items = (sample.instructions ?? []).map(([name, index]) => {
    const found = index == null ? {} : parsed(text(index));
    const words = found ? Object.entries(found).map(([key, value]) => `${key.replaceAll("_", " ")} ${JSON.stringify(value)}`).join(", ") : text(index);
    const [kind, what] = name.includes(":") ? name.split(":") : ["", name];
    return el("li", {}, el("b", {}, ...marked(what.replaceAll("_", " "))), kind ? el("i", {}, ` ${kind.replaceAll("_", " ")}`) : null,
      words ? el("div", { class: "with" }, ...marked(words)) : null);
  });
  return block(`Target: ${items.length} instruction${items.length === 1 ? "" : "s"} to follow`, el("ol", { class: "instructions" }, ...items));
}

function codeTarget(sample, text) {
  return block("Target", el("p", {}, sample.entry ? "A program whose " : "A program that passes these tests.", sample.entry ? el("code", {}, ...marked(`${sample.entry}()`)) : null, sample.entry ? " passes these tests." : null),
    sample.before == null ? null : folded("what it goes on from", pre(text(sample.before), "Given code", "code")),
    pre(text(sample.tests), "Tests", "code"),
    sample.extra == null ? null : folded("further tests", pre(text(sample.extra), "Further tests", "code")),
    sample.solution == null ? null : folded("a right answer", pre(text(sample.solution), "Canonical solution", "code")));
}

const MATCHES = { exact: "exactly", normalised: "but for case, articles and punctuation", numeric: "as a number", choice: "as the label of a choice",
  regex: "a pattern that the answer matches", json: "as JSON, field by field", rouge: "by overlap of words (ROUGE)", embedding: "by closeness in meaning", judge: "by a model that judges" };

function textTarget(sample, text) {
  const accepted = (sample.accepted ?? []).map((index) => (sample.match === "json" || text(index).includes("\n")
    ? pre(sample.match === "json" ? pretty(text(index)) : text(index), "Accepted answer") : el("div", { class: "answer" }, ...marked(text(index)))));
  const facts = [sample.tolerance && `within ${sample.tolerance}`, sample.threshold != null && `passes from ${sample.threshold} on`,
    sample.fields && `compared: ${sample.fields.join(", ")}`, sample.choices && `choices: ${sample.choices.map((index, place) => text(index) + (sample.meant ? ` ${text(sample.meant[place])}` : "")).join(" · ")}`,
    sample.human != null && `a person gave ${sample.human} to the recorded answer`].filter(Boolean);
  return block(accepted.length > 1 ? "Target: any of these answers" : "Target", el("p", { class: "note" }, `Compared ${MATCHES[sample.match] ?? sample.match}.`),
    ...accepted, facts.length ? el("p", { class: "note" }, facts.join("; ")) : null,
    sample.rubric == null ? null : pre(text(sample.rubric), "Rubric"),
    sample.schema == null ? null : folded("JSON schema", pre(pretty(text(sample.schema)), "JSON schema")),
    sample.human_answer == null ? null : folded("recorded answer", pre(text(sample.human_answer), "Recorded answer")));
}

function agentTarget(sample, text) {
  const turns = (sample.turns ?? []).map((turn, place) => block(`Then, turn ${place + 2}`, ...messagesOf(turn.messages, text),
    turn.tools ? folded(`${turn.tools.length} more tool${turn.tools.length === 1 ? "" : "s"}`, ...toolsOf(turn.tools, text)) : null));
  const plan = (sample.plan ?? []).map((calls, place) => el("div", { class: "plan" },
    sample.plan.length > 1 ? el("span", { class: "label" }, `turn ${place + 1}${calls.length ? "" : ": no call"}`) : null,
    ...calls.map((index) => { const call = parsed(text(index)); return call ? callWith(call) : pre(text(index), "Planned call"); })));
  return el("div", {}, ...turns,
    block("Target", el("p", {}, `The world of ${sample.environment} as it should be at the end.`,),
      sample.task == null ? null : folded("what it is checked against", pre(pretty(text(sample.task)), "Task"))),
    plan.length ? block("A plan that does it (others may, too)", ...plan) : null);
}

function taskTarget(sample, text) {
  const pairs = (sample.pairs ?? []).map(([, index]) => el("li", {}, ...marked(text(index))));
  return block(`Target: judged by ${sample.task}`,
    pairs.length ? el("p", { class: "note" }, "The model writes nothing: it is asked how likely each of these continuations is.") : null,
    pairs.length ? el("ol", { class: "instructions" }, ...pairs) : null,
    sample.request == null ? null : folded("what the task sets for the request", pre(pretty(text(sample.request)), "Request")),
    sample.data == null ? null : folded("what its judge is given", pre(pretty(text(sample.data)), "Data")));
}

const RESULTS_BY = { strict: "the equal call at the same step", fifo: "the first equal call that was not made yet" };

function trajectoryTarget(sample, text) {
  const steps = (sample.steps ?? []).map((step, place) => folded(`step ${place + 1}: ${(step.calls ?? []).map((index) => parsed(text(index))?.name ?? "call").join(", ") || "words"}${step.others ? ` (${step.others} more on record)` : ""}`,
    ...(step.calls ?? []).map((index, number) => { const call = parsed(text(index)); const back = step.results?.[number];
      return el("div", { class: "result" }, call ? callWith(call) : pre(text(index), "Call on record"), back == null ? null : pre(text(back), "Result on record")); }),
    step.text == null ? null : pre(text(step.text), "Words on record"), ...messagesOf(step.then, text)));
  return block(`Target: ${steps.length} steps on record`, el("p", { class: "note" }, `A call is given the result of ${RESULTS_BY[sample.match] ?? sample.match}. No tool runs.`), ...steps);
}

const TARGETS = { trajectory: trajectoryTarget, instructions: instructionTarget, code: codeTarget, text: textTarget, agent: agentTarget, task: taskTarget };

function targetBlock(sample, text) {
  if (sample.missing) return block("Target", el("p", { class: "note" }, "The sample is not in the run folder."));
  return (TARGETS[sample.kind] ?? toolTarget)(sample, text);
}
