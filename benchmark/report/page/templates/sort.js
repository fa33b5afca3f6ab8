// A click on a column's button sorts the table by it; a second one turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => header.querySelector("button").addEventListener("click", () => {
    const down = header.getAttribute("aria-sort") === "ascending";
    const key = row => row.cells[column].dataset.sort;
    const numeric = header.dataset.type === "number";
    const rows = [...body.rows].sort((a, b) => {
      const [left, right] = [key(a), key(b)];
      if (left === "" || right === "") return (left === "") - (right === ""); // unknown: always last
      const order = numeric ? left - right : left.localeCompare(right);
      return down ? -order : order;
    });
    headers.forEach(other => other.setAttribute("aria-sort", "none"));
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows);
  }));
}
