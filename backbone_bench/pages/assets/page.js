"use strict";
// Sorts and filters tables, steps through the marks of a plot, opens all sections for print. The page is readable without it.

function compare(left, right) {
  const [a, b] = [left.dataset.v, right.dataset.v];
  if (a !== undefined && b !== undefined) return Number(a) - Number(b);
  return left.textContent.localeCompare(right.textContent, "en", { numeric: true });
}

function missing(cell) {
  return cell.textContent === "" || cell.textContent.startsWith("–");
}

function sort(head) {
  const table = head.closest("table");
  const place = head.cellIndex;
  const descending = head.getAttribute("aria-sort") === "ascending";
  for (const cell of head.parentElement.cells) cell.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = Array.from(table.tBodies[0].rows);
  rows.sort((one, two) => {
    const [left, right] = [one.cells[place], two.cells[place]];
    if (missing(left) || missing(right)) return missing(left) - missing(right);
    return descending ? compare(right, left) : compare(left, right);
  });
  table.tBodies[0].append(...rows);
}

function filter(text) {
  const needle = text.toLowerCase();
  const rows = document.querySelectorAll("#summary tbody tr");
  let shown = 0;
  for (const row of rows) {
    row.hidden = !row.textContent.toLowerCase().includes(needle);
    if (!row.hidden) shown += 1;
  }
  document.getElementById("found").textContent = needle ? `${shown} of ${rows.length}` : "";
}

function step(plot, by) {
  const marks = Array.from(plot.querySelectorAll(".mark")).filter((mark) => mark.querySelector("title"));
  if (marks.length === 0) return;
  const old = marks.findIndex((mark) => mark.classList.contains("here"));
  const next = old < 0 ? (by > 0 ? 0 : marks.length - 1) : (old + by + marks.length) % marks.length;
  if (old >= 0) marks[old].classList.remove("here");
  marks[next].classList.add("here");
  showValues(plot, marks[next]);
}

function showValues(plot, mark) {
  const title = mark.querySelector("title");
  const place = plot.closest("figure")?.querySelector(".pointed");
  if (title && place) place.textContent = title.textContent.replaceAll("\n", ", ");
}

for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => sort(button.parentElement));
}
document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
for (const plot of document.querySelectorAll("svg[tabindex]")) {
  plot.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by) {
      event.preventDefault();
      step(plot, by);
    }
  });
  plot.addEventListener("pointerover", (event) => {
    const mark = event.target.closest(".mark");
    if (mark) showValues(plot, mark);
  });
}
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
