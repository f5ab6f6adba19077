const find = document.getElementById("find");
const rows = [...document.querySelectorAll("#all-runs tbody tr")];
const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
const said = document.getElementById("shown");

function filter() {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    row.hidden = !words.every((word) => texts.get(row).includes(word));
    shown += !row.hidden;
  }
  said.textContent = `${shown === rows.length ? rows.length : `${shown} of ${rows.length}`} run${rows.length === 1 ? "" : "s"}`;
}

function sortBy(head) {
  const place = [...head.parentNode.cells].indexOf(head);
  const down = head.getAttribute("aria-sort") !== "descending";
  const value = (row) => row.cells[place].dataset.sort ?? row.cells[place].textContent.trim();
  const numeric = head.hasAttribute("data-numeric");
  const order = (one, two) => {
    const a = value(one), b = value(two);
    if (a === "" || b === "") return (a === "") - (b === "");
    return (down ? -1 : 1) * (numeric ? Number(a) - Number(b) : a.localeCompare(b));
  };
  rows.sort(order);
  document.querySelector("#all-runs tbody").append(...rows);
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
}

if (find) {
  find.addEventListener("input", filter);
  for (const head of document.querySelectorAll("#all-runs thead th")) {
    head.querySelector("button").addEventListener("click", () => sortBy(head));
  }
  filter();
}
