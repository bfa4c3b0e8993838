// The map of clips: colours by choice, and what a dot is by the pointer or the arrow keys.
for (const map of document.querySelectorAll(".map")) {
  const plane = map.querySelector(".plane");
  const reading = map.querySelector(".reading");
  const dots = [...map.querySelectorAll("circle")];
  const select = map.querySelector("select");
  let now = -1;
  const go = (to) => {
    dots[now]?.classList.remove("here");
    now = (to + dots.length) % dots.length;
    const words = dots[now].querySelector("title").textContent;
    dots[now].classList.add("here");
    reading.textContent = words;
    plane.setAttribute("aria-valuenow", now + 1);
    plane.setAttribute("aria-valuetext", words);
  };
  select.addEventListener("change", () => map.setAttribute("data-by", select.value));
  plane.addEventListener("pointermove", (event) => {
    const frame = plane.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    let [best, near] = [-1, 18 ** 2];
    dots.forEach((dot, place) => {
      const across = (parseFloat(dot.getAttribute("cx")) / 100) * frame.width - x;
      const down = (parseFloat(dot.getAttribute("cy")) / 100) * frame.height - y;
      const far = across ** 2 + down ** 2;
      if (far < near) [best, near] = [place, far];
    });
    if (best >= 0 && best !== now) go(best);
  });
  plane.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1, Home: 0, End: -1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    go(now < 0 && event.key.startsWith("Arrow") ? 0 : steps[event.key]);
  });
}
