for (const input of document.querySelectorAll("label.cut input")) {
  const panels = input.closest("section").querySelectorAll(".swipe");
  const move = () => {
    for (const panel of panels) panel.style.setProperty("--cut", input.value + "%");
  };
  input.addEventListener("input", move);
  move();
}
for (const panel of document.querySelectorAll(".swipe")) {
  const input = panel.closest("section").querySelector("label.cut input");
  if (!input) continue;
  panel.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" && event.buttons === 0) return;
    const box = panel.getBoundingClientRect();
    input.value = Math.round(100 * (event.clientX - box.left) / box.width);
    input.dispatchEvent(new Event("input"));
  });
}
