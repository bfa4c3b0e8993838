// Strips of clips: hover, tap or press the space key to play, arrow keys to step.
(() => {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const playing = new Map();
  const show = (film, place) => {
    const strip = film.parentElement;
    const words = film.words ?? (film.words = JSON.parse(film.dataset.words));
    const at = ((place % words.length) + words.length) % words.length;
    strip.style.setProperty("--at", at);
    film.setAttribute("aria-valuenow", at + 1);
    film.setAttribute("aria-valuetext", `${at + 1} of ${words.length}: ${words[at]}`);
    const said = strip.querySelector(".said");
    said.firstChild.textContent = `${at + 1}/${words.length}`;
    said.lastChild.textContent = ` ${words[at]}`;
  };
  const at = (film) => Number(film.getAttribute("aria-valuenow")) - 1;
  const play = (film) => {
    if (!playing.has(film)) playing.set(film, setInterval(() => show(film, at(film) + 1), 260));
  };
  const stop = (film) => {
    clearInterval(playing.get(film));
    playing.delete(film);
  };
  const films = [...document.querySelectorAll(".film")];
  for (const film of films) {
    const held = () => film.closest(".gallery").classList.contains("playing");
    // A finger enters and leaves with each tap, so it starts and stops by tapping.
    film.addEventListener("pointerenter", (event) => event.pointerType === "touch" || still.matches || play(film));
    film.addEventListener("click", (event) => {
      if (event.pointerType === "touch") playing.has(film) ? stop(film) : play(film);
    });
    film.addEventListener("pointerleave", (event) => event.pointerType === "touch" || held() || stop(film));
    film.addEventListener("blur", () => held() || stop(film));
    film.addEventListener("keydown", (event) => {
      const count = Number(film.getAttribute("aria-valuemax"));
      const places = { ArrowRight: at(film) + 1, ArrowLeft: at(film) - 1, Home: 0, End: count - 1 };
      if (event.key === " ") playing.has(film) ? stop(film) : play(film);
      else if (event.key in places) {
        stop(film);
        show(film, places[event.key]);
      } else return;
      event.preventDefault();
    });
  }
  for (const gallery of document.querySelectorAll(".gallery")) {
    const form = gallery.querySelector(".filters");
    const clips = [...gallery.querySelectorAll(".clip")].map((clip) => [clip, new Set(clip.dataset.tokens.split(" "))]);
    // {name} in a value stands for the choice of that name, or for each of its choices where all are chosen.
    const expand = (value) => {
      const found = /\{(\w+)\}/.exec(value);
      if (!found) return value.split(" ");
      const other = form.elements[found[1]];
      const values = other.value ? [other.value] : [...other.options].map((option) => option.value).filter(Boolean);
      return values.flatMap((one) => expand(value.replaceAll(found[0], one.split(":").pop())));
    };
    const more = gallery.querySelector(".more");
    const step = Number(more.dataset.step);
    let most = step;
    const filter = () => {
      const wanted = [...form.querySelectorAll("select")]
        .filter((select) => select.value.includes(":"))
        .map((select) => expand(select.value));
      let found = 0;
      for (const [clip, tokens] of clips) {
        const fits = wanted.every((any) => any.some((token) => tokens.has(token)));
        found += fits ? 1 : 0;
        clip.hidden = !fits || found > most;
      }
      more.hidden = found <= most;
      more.textContent = `Show ${Math.min(step, found - most)} more`;
      for (const part of form.querySelectorAll("select[data-part]")) {
        gallery.setAttribute(`data-${part.name}`, part.value.split(":").pop());
      }
      form.querySelector("output").textContent = `${found} of ${clips.length} clips`;
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    const again = () => {
      most = step;
      filter();
    };
    form.addEventListener("change", again);
    form.querySelector("button[type=reset]").addEventListener("click", () => setTimeout(again));
    more.addEventListener("click", () => {
      const first = clips.findIndex(([clip]) => clip.hidden);
      most += step;
      filter();
      clips[first]?.[0].querySelector(".film")?.focus();
    });
    const button = form.querySelector("button[aria-pressed]");
    button?.addEventListener("click", () => {
      const on = gallery.classList.toggle("playing");
      button.setAttribute("aria-pressed", on);
      gallery.querySelectorAll(".film").forEach(on ? play : stop);
    });
    filter();
  }
})();
