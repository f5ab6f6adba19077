/* Pictures are drawn by the server. Here: a legend that hides and shows, zoom, the nearest point, arrow keys, saving. */
const NUMBERS = {
  share: (v) => `${+(100 * v).toFixed(v < .1 ? 1 : 0)} %`, usd: (v) => `$${d3.format(v >= .001 ? ",.3~r" : ".2~e")(v)}`,
  seconds: (v) => v < 1 ? `${d3.format(".3~r")(1000 * v)} ms` : `${d3.format(",.3~r")(v)} s`,
  tokens: d3.format(",.0f"), count: d3.format(",.3~r"), per_second: d3.format(",.3~r"), speed: (v) => `${d3.format(".3~r")(v)} ×`,
  bytes: (v) => v >= 2 ** 30 ? `${d3.format(".3~r")(v / 2 ** 30)} GiB` : `${d3.format(".3~r")(v / 2 ** 20)} MiB`,
  date: d3.utcFormat("%Y-%m-%d"), none: () => "",
};

/** All points of a plot that can be seen, in its own units. */
function pointsOf(svg) {
  return [...svg.querySelectorAll("g.series:not(.off)")].flatMap((series) => {
    const marks = [...series.querySelectorAll(".mark")].map((mark) => ({ at: mark.dataset.at.split(",").map(Number), text: mark.dataset.tip, mark, series }));
    if (marks.length && !series.querySelector("polyline.band")) return marks;
    const line = series.querySelector("polyline"), cloud = series.querySelector("path.cloud");
    if (line) {
      const places = line.getAttribute("points").split(" ").map((pair) => pair.split(",").map(Number));
      return places.filter((_, place) => !line.classList.contains("steps") || place % 2 === 0).map((at) => ({ at, series }));
    }
    return cloud ? cloud.getAttribute("d").slice(1).split("M").map((one) => ({ at: one.split("h")[0].split(" ").map(Number), series })) : [];
  });
}

function setUpPlot(svg) {
  const axis = ([unit, kind, ...ends]) => { const [low, high, start, end] = ends.map(Number); return { unit, log: kind === "log", low, high, start, end }; };
  const axes = { x: axis(svg.dataset.x.split(" ")), y: axis(svg.dataset.y.split(" ")) };
  const scale = ({ log, low, high, start, end }) => (log ? d3.scaleLog() : d3.scaleLinear()).domain([low, high]).range([start, end]);
  const x = scale(axes.x), y = scale(axes.y), [width, height] = svg.getAttribute("viewBox").split(" ").slice(2).map(Number);
  let now = d3.zoomIdentity, points = null, tree = null, chosen = -1;
  const cursor = svg.appendChild(el("circle", { class: "cursor", r: 6, hidden: true }));
  const tip = byId("tip");
  const words = (point) => {
    if (point.text) return point.text;
    const told = `${NUMBERS[axes.y.unit](y.invert(point.at[1]))} at ${NUMBERS[axes.x.unit](x.invert(point.at[0]))}`;
    return axes.x.unit === "none" ? point.series.dataset.name : `${point.series.dataset.name}: ${told}`;
  };
  const forget = () => { points = tree = null; chosen = -1; lift(null); };
  const lift = (series) => {
    svg.classList.toggle("one", Boolean(series));
    for (const one of svg.querySelectorAll("g.series")) one.classList.toggle("on", one === series);
  };
  const hide = () => { cursor.setAttribute("hidden", ""); tip.hidden = true; lift(null); };
  const show = (point, aloud) => {
    const [px, py] = now.apply(point.at), box = svg.getBoundingClientRect(), ratio = box.width / width;
    cursor.removeAttribute("hidden");
    cursor.setAttribute("cx", px); cursor.setAttribute("cy", py);
    lift(point.series);
    tip.textContent = words(point);
    tip.hidden = false;
    const left = box.left + px * ratio, top = box.top + py * ratio, own = tip.getBoundingClientRect();
    tip.style.left = `${Math.min(Math.max(8, left - own.width / 2), innerWidth - own.width - 8)}px`;
    tip.style.top = `${top + 14 + own.height < innerHeight ? top + 14 : top - own.height - 14}px`;
    if (aloud) say(tip.textContent);
  };
  const known = () => {
    points ??= pointsOf(svg).sort((a, b) => a.at[0] - b.at[0]);
    tree ??= points.length ? d3.Delaunay.from(points.map((one) => one.at)) : null;
    return points;
  };
  const dense = Boolean(svg.querySelector("polyline.steps, polyline.band, path.cloud"));
  if (dense) {
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("pointermove", (event) => {
      if (!known().length || event.buttons) return;
      const at = now.invert(d3.pointer(event, svg)), near = points[tree.find(...at)];
      if (Math.hypot(near.at[0] - at[0], near.at[1] - at[1]) * now.k < 40) show(near); else hide();
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
  }
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], turn = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") { hide(); return; }
    if (!(step || turn) || !known().length) return;
    event.preventDefault();
    const marks = points.filter((one) => one.mark);
    if (marks.length) {
      const place = marks.findIndex((one) => one.mark === document.activeElement);
      marks[(place + (step || turn) + marks.length) % marks.length].mark.focus();
      return;
    }
    const own = points[chosen]?.series ?? points[0].series, all = [...svg.querySelectorAll("g.series:not(.off)")];
    const series = turn ? all[(all.indexOf(own) + turn + all.length) % all.length] : own;
    const line = points.map((one, place) => [one, place]).filter(([one]) => one.series === series);
    const at = points[chosen]?.at[0] ?? -1, place = line.findIndex(([, index]) => index === chosen);
    const next = turn ? d3.least(line, ([one]) => Math.abs(one.at[0] - at)) : line[Math.min(Math.max(place + step, 0), line.length - 1)];
    chosen = next[1];
    show(next[0], true);
  });
  setUpZoom(svg, { x, y, axes, width, height }, (transform) => { now = transform; hide(); });
  return forget;
}

/** Zoom by buttons, by a pinch, by the wheel with Ctrl or ⌘ held, and by dragging once it is zoomed. */
function setUpZoom(svg, { x, y, axes, width, height }, moved) {
  const box = { left: axes.x.start, right: axes.x.end, top: axes.y.end, bottom: axes.y.start };
  const id = `clip-${document.querySelectorAll("clipPath").length}`;
  const clip = document.createElementNS("http://www.w3.org/2000/svg", "clipPath");
  clip.id = id;
  clip.append(el("rect", { x: box.left - 7, y: box.top - 7, width: box.right - box.left + 14, height: box.bottom - box.top + 14 }));
  svg.prepend(clip);
  const drawn = [...svg.querySelectorAll("polyline, polygon, line.link, line.floor-line, path.cloud")];
  const marks = [...svg.querySelectorAll(".mark")], texts = [...svg.querySelectorAll(".floor-text")];
  const render = ({ transform: t }) => {
    const zoomed = t.k !== 1 || t.x || t.y;
    for (const one of drawn) { one.setAttribute("transform", t); one.setAttribute("vector-effect", "non-scaling-stroke"); }
    for (const one of svg.querySelectorAll("g.series, g.back")) {
      if (zoomed) one.setAttribute("clip-path", `url(#${id})`); else one.removeAttribute("clip-path");
    }
    for (const mark of marks) {
      const [px, py] = mark.dataset.at.split(",").map(Number), [nx, ny] = t.apply([px, py]);
      mark.setAttribute("transform", `translate(${nx - px} ${ny - py})`);
      const error = mark.querySelector(".error");
      if (error) error.setAttribute("transform", `translate(0 ${py}) scale(1 ${t.k}) translate(0 ${-py})`);
    }
    for (const text of texts) text.classList.toggle("gone", Boolean(zoomed));
    svg.classList.toggle("zoomed", Boolean(zoomed));
    redrawTicks(svg, t.rescaleX(x), t.rescaleY(y), axes, box, zoomed);
    moved(t);
  };
  const zoom = d3.zoom().scaleExtent([1, 24]).extent([[box.left, box.top], [box.right, box.bottom]])
    .translateExtent([[box.left, box.top], [box.right, box.bottom]])
    .filter((event) => event.type === "wheel" ? event.ctrlKey || event.metaKey : event.type === "dblclick" ? false
      : event.type === "touchstart" ? event.touches.length > 1 || svg.classList.contains("zoomed") : svg.classList.contains("zoomed"))
    .on("zoom", render);
  const chosen = d3.select(svg).call(zoom);
  svg.style.touchAction = "pan-x pan-y";
  const card = svg.closest(".picture"), size = svg.classList.contains("wide") ? "wide" : "narrow";
  const button = (text, name, act) => {
    const made = el("button", { type: "button", class: "quiet", title: name, "aria-label": name }, text);
    made.addEventListener("click", act);
    return made;
  };
  card.querySelector(".tools")?.append(el("span", { class: size },
    button("+", "Zoom in", () => chosen.call(zoom.scaleBy, 1.6)),
    button("−", "Zoom out", () => chosen.call(zoom.scaleBy, 1 / 1.6)),
    button("1:1", "Zoom back", () => chosen.call(zoom.transform, d3.zoomIdentity))));
}

function redrawTicks(svg, x, y, axes, box, zoomed) {
  for (const [way, scale] of [["x", x], ["y", y]]) {
    const group = svg.querySelector(`.ticks-${way}`);
    group.kept ??= [...group.childNodes];
    if (!zoomed) { group.replaceChildren(...group.kept); continue; }
    const date = axes[way].unit === "date", ticks = date ? scale.ticks(4) : scale.ticks(way === "x" ? 5 : 6);
    const shown = axes[way].log && ticks.length > 9 ? ticks.filter((v) => Number.isInteger(+Math.log10(v).toFixed(6))) : ticks;
    let last = -Infinity;
    group.replaceChildren(...shown.flatMap((value) => {
      const at = scale(value), text = axes[way].unit === "share" ? `${+(100 * value).toFixed(2)} %` : NUMBERS[axes[way].unit](value);
      if (way === "x" && at - last < 7 * text.length + 8) return [];
      last = at;
      return way === "x"
        ? [el("line", { class: "grid", x1: at, x2: at, y1: box.bottom, y2: box.bottom + 4 }), el("text", { class: "tick", x: at, y: box.bottom + 17, "text-anchor": "middle" }, text)]
        : [el("line", { class: "grid", x1: box.left, x2: box.right, y1: at, y2: at }), el("text", { class: "tick", x: box.left - 7, y: at + 4, "text-anchor": "end" }, text)];
    }));
  }
}

/** Each entry of the legend hides and shows its series, in both drawings of its picture. */
function setUpLegend(card, changed) {
  const keys = [...card.querySelectorAll(".keys [data-series]")];
  if (keys.length < 2) return;
  for (const key of keys) {
    const button = el("button", { type: "button", class: "key", "aria-pressed": "true" });
    button.append(...key.childNodes);
    key.append(button);
    const series = () => [...card.querySelectorAll("g.series")].filter((one) => one.dataset.series === key.dataset.series);
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      for (const one of series()) one.classList.toggle("off", !on);
      changed();
    });
    for (const [event, on] of [["pointerenter", true], ["pointerleave", false]]) {
      button.addEventListener(event, () => {
        for (const svg of card.querySelectorAll("svg.plot")) svg.classList.toggle("one", on);
        for (const one of series()) one.classList.toggle("on", on);
      });
    }
  }
}

/** The picture as a file of its own: every colour and font of the page written into it. */
function saved(svg) {
  const copy = svg.cloneNode(true), names = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "font", "text-anchor", "paint-order", "display"];
  const own = [svg, ...svg.querySelectorAll("*")], made = [copy, ...copy.querySelectorAll("*")];
  own.forEach((one, place) => {
    const style = getComputedStyle(one);
    made[place].setAttribute("style", names.map((name) => `${name}:${style.getPropertyValue(name)}`).join(";"));
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const [, , width, height] = svg.getAttribute("viewBox").split(" ");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.style.background = getComputedStyle(svg.closest(".card")).backgroundColor;
  return new XMLSerializer().serializeToString(copy);
}

function setUpPictures() {
  for (const card of document.querySelectorAll(".picture")) {
    const plots = [...card.querySelectorAll("svg.plot")];
    if (plots.length) card.querySelector("figcaption").append(el("div", { class: "tools" }));
    const forget = plots.map(setUpPlot);
    setUpLegend(card, () => forget.forEach((one) => one()));
    card.querySelector(".save")?.removeAttribute("hidden");
    card.querySelector(".save")?.addEventListener("click", (event) => {
      const svg = plots.find((one) => one.getBoundingClientRect().width > 0);
      const address = URL.createObjectURL(new Blob([saved(svg)], { type: "image/svg+xml" }));
      const link = el("a", { href: address, download: event.target.dataset.name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 1000);
    });
  }
}
