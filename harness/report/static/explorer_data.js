/** The list of all attempts, and their texts in parts: inside the page, or in files beside it that are loaded when needed. */
const KEPT_PARTS = 6;

function readData() {
  const data = JSON.parse(byId("data").textContent);
  const samples = data.samples.map(([id, category, head]) => ({ id, category: data.categories[category], head }));
  const runs = new Map(data.runs.map((run, number) => [run.id, laneOf(run, number, data, samples)]));
  const parts = data.parts.map(([first, last, body]) => ({ first, last, got: unpacked(first, body) }));
  for (const [first, last, file, bytes] of data.files ?? []) parts.push({ first, last, file, bytes, got: null });
  const partOf = (place) => parts.find((part) => part.first <= place && place <= part.last);
  let recent = [];

  /** Loads a part if it is not here; the last few stay. Rejects with what to tell the reader. */
  async function load(part) {
    if (!part.got) {
      part.waiting ??= fetched(`${data.folder}/${part.file}`).finally(() => { part.waiting = null; });
      part.got = unpacked(part.first, await part.waiting);
    }
    if (part.file) {
      recent = [part, ...recent.filter((one) => one !== part)];
      for (const old of recent.splice(KEPT_PARTS)) old.got = null;
    }
  }

  /** A row with its texts; null while its part is not here. */
  function whole(row) {
    const got = row && partOf(row.place)?.got;
    if (!got) return null;
    return { ...row, ...got.rows.get(`${row.lane}:${row.number}`), sample: { ...row.sample, ...got.samples[row.place - got.first] } };
  }

  const textOf = (row) => { const texts = partOf(row.place)?.got?.texts; return (index) => (index == null ? null : texts[index]); };
  return { runs, parts, partOf, load, whole, textOf, folder: data.folder, longest: data.longest, leftOut: data.left_out ?? [] };
}

/** One run; its rows are made when they are first looked at. */
function laneOf(run, lane, data, samples) {
  let rows = null, keyed = null;
  const order = data.orders[run.order];
  const places = () => order.s ?? Array.from({ length: order.n }, (_, place) => order.from + place);
  const made = () => places().map((place, number) => {
    const [v, miss] = data.palette[run.codes[number]], trial = order.t?.[number] ?? 0;
    return { lane, number, place, trial, key: `${place}#${trial}`, sample: samples[place], v, miss, print: run.prints.slice(3 * number, 3 * number + 3) };
  });
  return { id: run.id, label: run.label, won: run.won, suite: run.suite, lane, get rows() { return (rows ??= made()); },
    get byKey() { return (keyed ??= new Map(this.rows.map((row) => [row.key, row]))); } };
}

function unpacked(first, body) {
  return { first, texts: body.texts, samples: body.samples, rows: new Map(body.rows.map(([lane, number, row]) => [`${lane}:${number}`, row])) };
}

/** What a file beside the page hands over. A page on a disk may not fetch, but it may add a script. */
function fetched(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    let got = null;
    script.addEventListener("part", (event) => { got = event.detail; });
    script.addEventListener("load", () => { script.remove(); if (got) resolve(got); else reject(new Error(`${address} is damaged. Make the page again: python -m harness do=report`)); });
    script.addEventListener("error", () => { script.remove(); reject(new Error(`${address} cannot be loaded. Prompts and replies are in files beside this page: copy the folder ${address.split("/")[0]} along with it, or make both again with python -m harness do=report`)); });
    script.src = address.split("/").map(encodeURIComponent).join("/");
    document.head.append(script);
  });
}

const megabytes = (bytes) => `${(bytes / 1e6).toPrecision(bytes < 1e6 ? 1 : 3)} MB`;

/** All texts of a row that a search goes through. */
function searched(row, text) {
  const steps = (row.steps ?? []).flatMap((step) => [step.reply, ...(step.tools ?? []), ...(step.calls ?? []).flatMap((call) => [call.args, call.result])]);
  const numbers = [row.reply, row.why, row.got, row.failure, ...(row.tools ?? []), ...(row.sample.messages ?? []).map((message) => message.text), ...steps];
  return numbers.filter((index) => index != null).map(text);
}

/** Goes through the texts of one run, file after file; resolves to the keys that match, null if it was called off. */
async function searchFiles(data, run, words, { progress, stopped }) {
  const found = new Set(), files = data.parts.filter((part) => part.file);
  for (const [place, part] of files.entries()) {
    if (stopped()) return null;
    progress(place, files.length);
    const held = part.got != null;
    await data.load(part);
    for (const row of run.rows) {
      if (row.place < part.first || row.place > part.last) continue;
      const full = data.whole(row);
      if (searched(full, data.textOf(row)).some((text) => text.toLowerCase().includes(words))) found.add(row.key);
    }
    if (!held) part.got = null;
  }
  return stopped() ? null : found;
}
