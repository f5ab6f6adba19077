const byId = (id) => document.getElementById(id);

/** An element with attributes and children; text only ever becomes a text node. */
function el(tag, attributes = {}, ...children) {
  const svg = ["svg", "rect", "line", "text", "g"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null && child !== ""));
  return node;
}

/** Text with its spelled-out invisible characters and its notes of omission set apart. */
function marked(text) {
  return text.split(/(⟦U\+[0-9A-F]{4,6}⟧| … [\d,]+ characters left out … )/).map((part, place) =>
    place % 2 ? el("span", { class: part.startsWith("⟦") ? "ctl" : "cut" }, part) : part);
}

function say(text) { byId("said").textContent = text; }
