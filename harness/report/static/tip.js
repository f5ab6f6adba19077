function setUpTips() {
  const tip = byId("tip");
  let owner = null;
  const hide = () => { tip.hidden = true; owner?.removeAttribute("aria-describedby"); owner = null; };
  const place = () => {
    const at = owner.getBoundingClientRect(), box = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - box.width / 2), innerWidth - box.width - 8);
    const below = at.bottom + 8 + box.height < innerHeight || at.top < box.height + 16;
    tip.style.left = `${left}px`;
    tip.style.top = `${below ? at.bottom + 8 : at.top - box.height - 8}px`;
  };
  const show = (target) => {
    if (owner === target) return;
    hide();
    const text = target.getAttribute("data-tip").trim();
    if (!text) return;
    owner = target;
    tip.textContent = text;
    tip.hidden = false;
    target.setAttribute("aria-describedby", "tip");
    place();
  };
  const enter = (event) => {
    const target = event.target.closest?.("[data-tip]");
    if (target) show(target); else if (event.type === "pointerover") hide();
  };
  document.addEventListener("pointerover", enter);
  document.addEventListener("focusin", enter);
  document.addEventListener("focusout", hide);
  // A tip that the keyboard asked for stays with its owner; one under the pointer has nothing under it any more.
  document.addEventListener("scroll", () => { if (owner && owner === document.activeElement) place(); else hide(); }, { passive: true, capture: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
}
