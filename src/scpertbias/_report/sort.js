// Sort a table by the column whose heading is pressed; cells without a value stay last.
"use strict";
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const numeric = /\b(count|percent|number|interval)\b/.test(head.className);
      const before = head.getAttribute("aria-sort");
      // Numbers first show their largest, words their first.
      const first = numeric ? "descending" : "ascending";
      const next = before === first ? (numeric ? "ascending" : "descending") : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const value = (row) => row.cells[column].dataset.v;
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        return sign * (numeric ? x - y : x.localeCompare(y, "en", { numeric: true }));
      });
      body.append(...rows);
    });
  });
}
