/** Which rows show: words, protocols, and one choice each of where it runs, size, licence, hardware and suite. */
function setUpFilters(boards) {
  const form = byId("filters");
  // What a row says of its own run; the note on its rank names other runs and is left out.
  const own = (body) => [...body.rows[0].querySelectorAll("[data-sort]"), ...body.querySelectorAll("dl, .notes")];
  const rowsOf = (board) => [...board.tBodies].filter((body) => !body.hasAttribute("data-divide"));
  const rows = new Map(boards.map((board) => [board, rowsOf(board)]));
  const texts = new Map();
  const textOf = (body) => {
    if (!texts.has(body)) texts.set(body, own(body).map((node) => node.textContent).join(" ").toLowerCase());
    return texts.get(body);
  };
  const boxes = [...document.getElementsByName("protocol")];
  const choices = [...form.querySelectorAll("select[data-facet]")];
  const among = (body, facet, wanted) => (body.getAttribute(`data-${facet}`) ?? "").split("\n").includes(wanted);

  function fitsSize(body, wanted) {
    const size = body.dataset.size;
    return wanted === "unknown" ? !size : Boolean(size) && Number(size) <= Number(wanted);
  }

  function fits(body, words, protocols) {
    return (!body.dataset.protocol || protocols.includes(body.dataset.protocol))
      && choices.every(({ value, dataset: { facet } }) => !value || facet === "suite"
        || (facet === "size" ? fitsSize(body, value) : among(body, facet, value)))
      && (!words.length || words.every((word) => textOf(body).includes(word)));
  }

  /** A suite alone: its tables and pictures, and its column among all suites. */
  function showSuite(wanted) {
    for (const article of document.querySelectorAll("article.suite, .index li")) article.hidden = Boolean(wanted) && article.dataset.suite !== wanted;
    for (const cell of document.querySelectorAll("#matrix [data-suite]")) cell.hidden = Boolean(wanted) && cell.dataset.suite !== wanted;
  }

  function filter() {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const protocols = boxes.filter((box) => box.checked).map((box) => box.value);
    const older = byId("older")?.checked ?? false, suite = byId("suite")?.value ?? "";
    let shown = 0, all = 0;
    for (const board of boards) {
      let here = 0, apart = 0;
      for (const body of rows.get(board)) {
        const eligible = older || !body.hasAttribute("data-older");
        body.hidden = !(eligible && fits(body, words, protocols));
        here += !body.hidden; apart += !body.hidden && body.hasAttribute("data-apart");
        all += eligible && !board.hasAttribute("data-matrix");
      }
      for (const divide of board.querySelectorAll("[data-divide]")) divide.hidden = !apart;
      board.closest("section").querySelector(".empty").hidden = here > 0;
      const apartSuite = suite && board.closest("article.suite")?.dataset.suite !== suite;
      if (!board.hasAttribute("data-matrix") && !apartSuite) shown += here;
    }
    showSuite(suite);
    byId("shown").textContent = `${shown === all ? all : `${shown} of ${all}`} run${all === 1 ? "" : "s"}`;
    byId("reset").hidden = shown === all && !words.length && choices.every((one) => !one.value);
    return { words, protocols, older };
  }

  function keep(push) {
    const { words, protocols, older } = filter();
    remember({ q: words.join(" "), p: protocols.length === boxes.length ? "" : protocols.join(",") || "none", older: older ? "1" : "",
      ...Object.fromEntries(choices.map((one) => [one.dataset.facet, one.value])) }, { push });
  }

  form.addEventListener("input", (event) => keep(event.target.id !== "find"));
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("reset").addEventListener("click", () => {
    byId("find").value = "";
    for (const box of boxes) box.checked = true;
    for (const one of choices) one.value = "";
    keep(true);
    byId("find").focus();
  });
  return () => {
    byId("find").value = state.get("q") ?? "";
    const kept = state.get("p")?.split(",");
    for (const box of boxes) box.checked = !kept || kept.includes(box.value);
    if (byId("older")) byId("older").checked = state.get("older") === "1";
    for (const one of choices) {
      const wanted = state.get(one.dataset.facet) ?? "";
      one.value = [...one.options].some((option) => option.value === wanted) ? wanted : "";
    }
    filter();
  };
}
