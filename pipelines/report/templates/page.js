"use strict";
// A column's head sorts its table; numbers as numbers, and what is not known last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const body = table.tBodies[0];
      const text = (row) => row.cells[column].textContent.trim();
      const numeric = [...body.rows].every((row) => text(row) === "–" || !Number.isNaN(Number(text(row))));
      const order = (a, b) => (numeric ? Number(a) - Number(b) : a.localeCompare(b)) * (descending ? -1 : 1);
      const compare = (one, other) => {
        const [a, b] = [text(one), text(other)];
        if (a === "–" || b === "–") return (a === "–") - (b === "–");
        return order(a, b);
      };
      body.append(...[...body.rows].sort(compare));
    });
  });
}
for (const input of document.querySelectorAll("input[data-search]")) {
  const table = document.getElementById(input.dataset.search);
  const found = document.getElementById(input.dataset.search + "-found");
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    found.textContent = wanted ? `${shown} of ${table.tBodies[0].rows.length} classes` : "";
  });
}
// A button copies the command beside it, or all commands of the list that it names.
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const list = document.getElementById(button.dataset.copy);
    const codes = list ? [...list.querySelectorAll("code")] : [button.previousElementSibling];
    const text = codes.map((code) => code.textContent).join("\n");
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.dataset.said ??= button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = button.dataset.said; }, 1500);
  });
}
// On paper nothing can be unfolded.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const details of folded) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of folded) details.open = false;
  folded = [];
});
