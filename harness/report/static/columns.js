/** Which columns show: those of the boxes, kept in the address as the ones that differ from the usual choice. */
function setUpColumns(boards) {
  const boxes = [...document.getElementsByName("column")];
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  document.documentElement.dataset.columns = "chosen";

  function apply() {
    const off = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
    sheet.replaceSync([...off].map((key) => `.board .c-${key} { display: none; }`).join("\n"));
    for (const board of boards) {
      const shown = [...board.querySelectorAll("thead th")].filter((head) => !off.has(head.dataset.key));
      for (const cell of board.querySelectorAll(".more > td, .divide th")) cell.colSpan = shown.length;
      for (const group of board.querySelectorAll(".groups td")) {
        const wide = shown.filter((head) => head.dataset.group === group.dataset.group).length;
        group.hidden = !wide;
        if (wide) group.colSpan = wide;
      }
    }
    const hidden = byId("columns-hidden");
    if (hidden) hidden.textContent = off.size ? `${boxes.length - off.size} of ${boxes.length}` : `all ${boxes.length}`;
  }

  function keep() {
    const changed = boxes.filter((box) => box.checked !== box.defaultChecked).map((box) => box.value);
    remember({ cols: changed.join(".") }, { push: true });
    apply();
  }

  byId("columns")?.addEventListener("input", (event) => { event.stopPropagation(); keep(); });
  for (const [id, wanted] of [["columns-usual", (box) => box.defaultChecked], ["columns-all", () => true]]) {
    byId(id)?.addEventListener("click", () => {
      for (const box of boxes) box.checked = wanted(box);
      keep();
    });
  }
  return () => {
    const changed = new Set((state.get("cols") ?? "").split("."));
    for (const box of boxes) box.checked = box.defaultChecked !== changed.has(box.value);
    apply();
  };
}
