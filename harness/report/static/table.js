function setUpTables() {
  const boards = [...document.querySelectorAll("table.board")];
  // What a row says of its own run; the note on its rank names other runs and is left out.
  const own = (body) => [...body.rows[0].querySelectorAll("[data-sort]"), ...body.querySelectorAll("dl, .notes")];
  const rowsOf = (board) => [...board.tBodies].filter((body) => !body.hasAttribute("data-divide"));
  const texts = new Map(boards.flatMap(rowsOf).map((body) => [body, own(body).map((node) => node.textContent).join(" ").toLowerCase()]));
  const headsOf = (board) => [...board.querySelectorAll("thead th")];
  // Ranked runs, the line under them, runs that are not ranked, older ones: sorting never mixes these.
  const tier = (body) => ["data-older", "data-apart", "data-divide"].findIndex((name) => body.hasAttribute(name)) + 1;

  function sortBy(board, head, direction) {
    const heads = headsOf(board), column = heads.indexOf(head);
    const numeric = head.hasAttribute("data-numeric");
    const sign = direction === "ascending" ? 1 : -1;
    const value = (body) => {
      const raw = body.hasAttribute("data-divide") ? null : body.rows[0].cells[column].getAttribute("data-sort");
      return raw == null ? null : numeric ? Number(raw) : raw;
    };
    const order = [0, 3, 2, 1];
    const bodies = [...board.tBodies].map((body) => ({ body, value: value(body), tier: order.indexOf(tier(body)) }));
    bodies.sort((one, two) => {
      if (one.tier !== two.tier) return one.tier - two.tier;
      const a = one.value, b = two.value;
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (numeric ? a - b : a.localeCompare(b));
    });
    board.append(...bodies.map((one) => one.body));
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", direction);
    remember({ board: board.dataset.board === "1" ? "" : board.dataset.board, sort: head.dataset.key, order: direction });
    say(`Sorted by ${head.querySelector("button").firstChild.textContent}, ${direction}`);
  }

  function filter() {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const boxes = [...document.getElementsByName("protocol")];
    const protocols = boxes.filter((box) => box.checked).map((box) => box.value);
    const older = byId("older")?.checked ?? false;
    let shown = 0, all = 0;
    for (const board of boards) {
      let here = 0, apart = 0;
      for (const body of rowsOf(board)) {
        const eligible = older || !body.hasAttribute("data-older");
        const fits = protocols.includes(body.dataset.protocol) && words.every((word) => texts.get(body).includes(word));
        body.hidden = !(eligible && fits);
        all += eligible; here += !body.hidden; apart += !body.hidden && body.hasAttribute("data-apart");
      }
      for (const divide of board.querySelectorAll("[data-divide]")) divide.hidden = !apart;
      board.closest("section").querySelector(".empty").hidden = here > 0;
      shown += here;
    }
    byId("shown").textContent = `${shown === all ? all : `${shown} of ${all}`} run${all === 1 ? "" : "s"}`;
    remember({ q: words.join(" "), p: protocols.length === boxes.length ? "" : protocols.join(",") || "none", older: older ? "1" : "" });
  }

  for (const board of boards) {
    for (const head of headsOf(board)) {
      head.querySelector("button").addEventListener("click", () => {
        const first = head.hasAttribute("data-high") ? "descending" : "ascending";
        const now = head.getAttribute("aria-sort");
        sortBy(board, head, now ? (now === "ascending" ? "descending" : "ascending") : first);
      });
    }
    for (const button of board.querySelectorAll(".open")) {
      button.addEventListener("click", () => {
        const more = button.closest("tbody").rows[1];
        more.hidden = !more.hidden;
        button.setAttribute("aria-expanded", String(!more.hidden));
      });
    }
  }
  byId("find").value = state.get("q") ?? "";
  const kept = state.get("p")?.split(",");
  if (kept) for (const box of document.getElementsByName("protocol")) box.checked = kept.includes(box.value);
  if (byId("older")) byId("older").checked = state.get("older") === "1";
  byId("filters").addEventListener("input", filter);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  const board = boards.find((one) => one.dataset.board === (state.get("board") ?? "1"));
  const wanted = board && headsOf(board).find((head) => head.dataset.key === state.get("sort"));
  if (wanted) sortBy(board, wanted, state.get("order") === "ascending" ? "ascending" : "descending");
  filter();
}
