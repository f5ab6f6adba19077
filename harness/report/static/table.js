function setUpTable() {
  const board = byId("board");
  const bodies = [...board.tBodies];
  const heads = [...board.querySelectorAll("thead th")];
  // What a row says of its own run; the note on its rank names other runs and is left out.
  const own = (body) => [...body.rows[0].querySelectorAll("[data-sort]"), ...body.querySelectorAll("dl, .notes")];
  const texts = new Map(bodies.map((body) => [body, own(body).map((node) => node.textContent).join(" ").toLowerCase()]));

  function sortBy(head, direction) {
    const column = heads.indexOf(head);
    const numeric = head.hasAttribute("data-numeric");
    const sign = direction === "ascending" ? 1 : -1;
    const value = (body) => {
      const raw = body.rows[0].cells[column].getAttribute("data-sort");
      return raw == null ? null : numeric ? Number(raw) : raw;
    };
    const values = new Map(bodies.map((body) => [body, value(body)]));
    bodies.sort((one, two) => {
      const a = values.get(one), b = values.get(two);
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (numeric ? a - b : a.localeCompare(b));
    });
    board.append(...bodies);
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", direction);
    remember({ sort: head.dataset.key, order: direction });
    say(`Sorted by ${head.firstElementChild.textContent}, ${direction}`);
  }

  function filter() {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const boxes = [...document.getElementsByName("protocol")];
    const protocols = boxes.filter((box) => box.checked).map((box) => box.value);
    const older = byId("older")?.checked ?? false;
    let shown = 0, all = 0;
    for (const body of bodies) {
      const eligible = older || !body.hasAttribute("data-older");
      const fits = protocols.includes(body.dataset.protocol) && words.every((word) => texts.get(body).includes(word));
      body.hidden = !(eligible && fits);
      all += eligible; shown += !body.hidden;
    }
    byId("shown").textContent = `${shown === all ? all : `${shown} of ${all}`} run${all === 1 ? "" : "s"}`;
    byId("empty").hidden = shown > 0;
    remember({ q: words.join(" "), p: protocols.length === boxes.length ? "" : protocols.join(",") || "none", older: older ? "1" : "" });
  }

  for (const head of heads) {
    head.querySelector("button").addEventListener("click", () => {
      const first = head.hasAttribute("data-high") ? "descending" : "ascending";
      const now = head.getAttribute("aria-sort");
      sortBy(head, now ? (now === "ascending" ? "descending" : "ascending") : first);
    });
  }
  for (const button of board.querySelectorAll(".open")) {
    button.addEventListener("click", () => {
      const more = button.closest("tbody").rows[1];
      more.hidden = !more.hidden;
      button.setAttribute("aria-expanded", String(!more.hidden));
    });
  }
  byId("find").value = state.get("q") ?? "";
  const kept = state.get("p")?.split(",");
  if (kept) for (const box of document.getElementsByName("protocol")) box.checked = kept.includes(box.value);
  if (byId("older")) byId("older").checked = state.get("older") === "1";
  byId("filters").addEventListener("input", filter);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  const wanted = heads.find((head) => head.dataset.key === state.get("sort"));
  if (wanted) sortBy(wanted, state.get("order") === "ascending" ? "ascending" : "descending");
  filter();
}
