/** Sorting, and all that a table does with its rows; returns what brings the tables back to the state of the address. */
function setUpTables() {
  const boards = [...document.querySelectorAll("table.board")];
  const headsOf = (board) => [...board.querySelectorAll("thead th")];
  const first = new Map(boards.map((board) => [board, { bodies: [...board.tBodies], head: board.querySelector("[aria-sort]"), way: board.querySelector("[aria-sort]")?.getAttribute("aria-sort") }]));
  // Ranked runs, the line under them, runs that are not ranked, older ones: sorting never mixes these.
  const tier = (body) => ["data-older", "data-apart", "data-divide"].findIndex((name) => body.hasAttribute(name)) + 1;

  function mark(board, head, direction) {
    headsOf(board).forEach((other) => other.removeAttribute("aria-sort"));
    head?.setAttribute("aria-sort", direction);
  }

  function sortBy(board, head, direction) {
    const column = headsOf(board).indexOf(head);
    const numeric = head.hasAttribute("data-numeric");
    const sign = direction === "ascending" ? 1 : -1;
    const value = (body) => {
      const raw = body.hasAttribute("data-divide") ? null : body.rows[0].cells[column].getAttribute("data-sort");
      return raw == null ? null : numeric ? Number(raw) : raw;
    };
    const order = [0, 3, 2, 1];
    const compare = new Intl.Collator("en").compare;
    const bodies = [...board.tBodies].map((body) => ({ body, value: value(body), tier: order.indexOf(tier(body)) }));
    bodies.sort((one, two) => {
      if (one.tier !== two.tier) return one.tier - two.tier;
      const a = one.value, b = two.value;
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (numeric ? a - b : compare(a, b));
    });
    board.append(...bodies.map((one) => one.body));
    mark(board, head, direction);
  }

  function chosen(board, head) {
    const usual = head.hasAttribute("data-high") ? "descending" : "ascending";
    const now = head.getAttribute("aria-sort");
    const direction = now ? (now === "ascending" ? "descending" : "ascending") : usual;
    sortBy(board, head, direction);
    remember({ board: board.dataset.board === "1" ? "" : board.dataset.board, sort: head.dataset.key, order: direction }, { push: true });
    say(`Sorted by ${head.querySelector("button").firstChild.textContent}, ${direction}`);
  }

  for (const board of boards) {
    for (const head of headsOf(board)) head.querySelector("button")?.addEventListener("click", () => chosen(board, head));
    for (const button of board.querySelectorAll(".open")) {
      button.addEventListener("click", () => {
        const more = button.closest("tbody").rows[1];
        more.hidden = !more.hidden;
        button.setAttribute("aria-expanded", String(!more.hidden));
      });
    }
  }
  const showColumns = setUpColumns(boards), filter = setUpFilters(boards);
  setUpCells(boards);

  function restore() {
    const board = boards.find((one) => one.dataset.board === (state.get("board") ?? "1"));
    const wanted = board && headsOf(board).find((head) => head.dataset.key === state.get("sort"));
    for (const [one, { bodies, head, way }] of first) {
      if (one === board && wanted) sortBy(board, wanted, state.get("order") === "ascending" ? "ascending" : "descending");
      else if (head) { one.append(...bodies); mark(one, head, way); }
    }
    showColumns();
    filter();
  }

  restore();
  return restore;
}
