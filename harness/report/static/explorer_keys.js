/** Keys of the explorer. Single letters count only while the focus is in the section, never in a field, and can be switched off. */
function setUpKeys({ step, flip }) {
  const section = byId("samples"), help = byId("keys"), letters = byId("letters"), search = byId("text");
  const stored = () => { try { return localStorage.getItem("letters"); } catch { return null; } };
  letters.checked = stored() !== "off";
  letters.addEventListener("change", () => { try { localStorage.setItem("letters", letters.checked ? "on" : "off"); } catch { /* a private window keeps nothing */ } });
  const open = () => help.showModal();
  byId("show-keys").addEventListener("click", open);
  byId("close-keys").addEventListener("click", () => help.close());
  const actions = { j: () => step(1), k: () => step(-1), n: () => flip(1), p: () => flip(-1), "/": () => { search.focus(); search.select(); }, "?": open };
  section.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || help.open) return;
    if (event.key === "Escape" && event.target === search) { event.preventDefault(); byId("list").focus(); return; }
    if (event.target.closest("input, select, textarea")) return;
    const arrow = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const action = arrow && !event.target.closest("pre, .scroll") ? () => step(arrow) : letters.checked && !event.isComposing && Object.hasOwn(actions, event.key) ? actions[event.key] : null;
    if (!action) return;
    event.preventDefault();
    action();
  });
}
