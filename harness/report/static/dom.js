const byId = (id) => document.getElementById(id);

/** An element with attributes and children; text only ever becomes a text node. */
function el(tag, attributes = {}, ...children) {
  const svg = ["svg", "rect", "line", "text", "g", "circle"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null && child !== ""));
  return node;
}

// As in report/text.py: what JSON spells out comes back as it was when a text is read as JSON.
const HIDDEN = /[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ud800-\udfff\ufff9-\ufffb\ufffe\uffff\u{e0000}-\u{e007f}]/gu;
const spelledOut = (text) => text.replace(HIDDEN, (found) => `⟦U+${found.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟧`);

/** Text with its spelled-out invisible characters and its notes of omission set apart. */
function marked(text) {
  return spelledOut(text).split(/(⟦U\+[0-9A-F]{4,6}⟧| … [\d,]+ characters left out … )/).map((part, place) =>
    place % 2 ? el("span", { class: part.startsWith("⟦") ? "ctl" : "cut" }, part) : part);
}

function say(text) { byId("said").textContent = text; }
