/**
 * Arrow keys walk from cell to cell once one is focused, so that what stands behind a value shows without a mouse.
 * One tab stop a row is enough: the button of its first cell.
 */
function setUpCells(boards) {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-Infinity, 0], End: [Infinity, 0] };
  const shows = (node) => node.checkVisibility();

  function focusIn(cell) {
    const inner = cell.querySelector("button, a[href], [data-tip]") ?? cell;
    if (!inner.matches("button, a[href]")) inner.tabIndex = -1;
    inner.focus({ preventScroll: true });
    cell.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
  }

  function move(board, cell, [across, down]) {
    const rows = [...board.rows].filter((row) => shows(row) && !row.matches(".more, .groups") && !row.closest("[data-divide]"));
    const next = rows[Math.min(Math.max(0, rows.indexOf(cell.parentElement) + down), rows.length - 1)];
    const cells = [...next.cells].filter(shows), from = [...cell.parentElement.cells].filter(shows).indexOf(cell);
    focusIn(cells[Math.min(Math.max(0, from + across), cells.length - 1)]);
  }

  for (const board of boards) {
    board.addEventListener("keydown", (event) => {
      const step = steps[event.key], cell = event.target.closest("th, td");
      if (!step || !cell || cell.closest(".more") || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      move(board, cell, step);
    });
  }
}
