// The matrix of one evaluation and label; a cell lists its clips.
const matrixData = document.getElementById("confusion-data");
if (matrixData) {
  const data = JSON.parse(matrixData.textContent);
  const [ofSelect, labelSelect] = ["confusion-of", "confusion-label"].map((id) => document.getElementById(id));
  const matrix = document.getElementById("confusion-matrix");
  const listed = document.getElementById("confusion-clips");
  const leftOut = document.getElementById("confusion-left-out");
  const add = (parent, tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    parent.append(element);
    return element;
  };
  const titles = [...new Set(data.evaluations.map((one) => one.title))];
  titles.forEach((title, index) => add(ofSelect, "option", title, { value: index }));

  const fillLabels = () => {
    const before = labelSelect.value;
    labelSelect.replaceChildren();
    data.evaluations.forEach((one, index) => {
      if (one.title !== titles[ofSelect.value]) return;
      const option = add(labelSelect, "option", one.label + "s", { value: index });
      option.selected = data.evaluations[before]?.label === one.label;
    });
  };

  const list = (one, [row, column, count, clips]) => {
    listed.replaceChildren();
    const answer = one.names[column] ?? data.other;
    const said = row === column ? `${one.names[row]}, answered rightly` : `${one.names[row]}, taken for ${answer}`;
    add(listed, "h3", said);
    const shown = clips.length / 2;
    const clipWord = count === 1 ? "clip" : "clips";
    add(listed, "p", shown < count ? `The first ${shown} of ${count} ${clipWord}:` : `${count} ${clipWord}:`);
    const items = add(listed, "ul", "");
    for (let place = 0; place < clips.length; place += 2) {
      const id = data.clips[clips[place]];
      const item = add(items, "li", "", { "data-clip": id });
      add(item, "code", id);
      // The gallery shows some of the clips.
      const shown = document.querySelector(`.clip[data-clip="${CSS.escape(id)}"]`);
      if (shown) add(item, "button", "show", { type: "button", class: "show" }).addEventListener("click", () => {
        shown.closest(".gallery").querySelector("button[type=reset]").click();
        // The gallery filters its clips again after the click.
        setTimeout(() => {
          shown.hidden = false;
          shown.scrollIntoView({ block: "center" });
          shown.querySelector(".film")?.focus();
        }, 10);
      });
      if (clips[place + 1] >= 0) item.append(` answered ${data.answers[clips[place + 1]] || "(empty name)"}`);
    }
  };

  const draw = () => {
    const one = data.evaluations[labelSelect.value];
    const size = one.names.length;
    const totals = Array(size).fill(0);
    const cells = new Map();
    for (const cell of one.cells) {
      totals[cell[0]] += cell[2];
      cells.set(cell[0] * (size + 1) + cell[1], cell);
    }
    matrix.replaceChildren();
    const head = add(add(matrix, "thead", ""), "tr", "");
    add(head, "th", "true class", { scope: "col", class: "name" });
    [...one.names, data.other].forEach((name) => add(add(head, "th", "", { scope: "col" }), "span", name));
    const body = add(matrix, "tbody", "");
    for (let row = 0; row < size; row++) {
      const line = add(body, "tr", "");
      add(line, "th", `${one.names[row]} `, { scope: "row", class: "name" });
      add(line.lastChild, "small", totals[row]);
      for (let column = 0; column <= size; column++) {
        const cell = cells.get(row * (size + 1) + column);
        const place = add(line, "td", "", { "data-row": row, "data-column": column });
        if (!cell) continue;
        const share = Math.round((100 * cell[2]) / totals[row]);
        const answer = one.names[column] ?? data.other;
        const button = add(place, "button", cell[2], {
          type: "button",
          tabindex: -1,
          class: row === column ? "right" : "wrong",
          "aria-label": `${one.names[row]} answered ${answer}: ${cell[2]} of ${totals[row]}`,
          style: `--share: ${Math.max(share, 6)}%`,
        });
        if (share > 55) button.classList.add("full");
        button.addEventListener("click", () => {
          matrix.querySelector("[aria-pressed=true]")?.setAttribute("aria-pressed", "false");
          button.setAttribute("aria-pressed", "true");
          move(button);
          list(one, cell);
        });
      }
    }
    matrix.querySelector("button")?.setAttribute("tabindex", 0);
    listed.replaceChildren();
    add(listed, "p", "No cell is chosen.", { class: "soft" });
    leftOut.textContent = one.left_out ? `${one.left_out} clips of rarer classes are not shown` : "";
  };

  // One cell is in the tab order; arrows go to the next cell with clips in their direction.
  const move = (button) => {
    matrix.querySelector("button[tabindex='0']")?.setAttribute("tabindex", -1);
    button.setAttribute("tabindex", 0);
    button.focus();
  };
  matrix.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step || !event.target.matches("td > button")) return;
    event.preventDefault();
    let { row, column } = event.target.parentElement.dataset;
    for (;;) {
      row = Number(row) + step[0];
      column = Number(column) + step[1];
      const next = matrix.querySelector(`td[data-row='${row}'][data-column='${column}']`);
      if (!next) return;
      if (next.firstChild) {
        move(next.firstChild);
        return;
      }
    }
  });
  ofSelect.addEventListener("change", () => { fillLabels(); draw(); });
  labelSelect.addEventListener("change", draw);
  fillLabels();
  draw();
}
