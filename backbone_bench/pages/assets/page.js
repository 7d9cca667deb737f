"use strict";
// Sorts, filters and folds tables, steps through the marks of a plot, draws a detail when it is opened, and all for print.
// The tables and the first plots are readable without it.

let parts; // what details draw, by name: read when the first is opened

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
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = document.querySelectorAll("#summary tbody tr");
  let shown = 0;
  for (const row of rows) {
    const content = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => content.includes(word));
    if (!row.hidden) shown += 1;
  }
  document.getElementById("found").textContent = words.length ? `${shown} of ${rows.length}` : "";
}

function fold(button) {
  const open = button.getAttribute("aria-expanded") !== "true";
  const head = button.parentElement;
  head.dataset.all ??= head.colSpan;
  head.colSpan = open ? head.dataset.all : Math.max(1, head.dataset.stays);
  button.setAttribute("aria-expanded", open);
  button.closest("table").classList.toggle(`no-${button.dataset.group}`, !open);
}

// Folds what says least, the last group first, until the table fits the screen.
function foldToFit(table) {
  for (const button of Array.from(table.querySelectorAll(".fold")).reverse()) {
    const fits = table.offsetWidth <= table.parentElement.clientWidth;
    if (!fits || button.dataset.group === "more") fold(button);
  }
}

function draw(detail) {
  if (detail.dataset.part === undefined || detail.dataset.drawn) return;
  parts ??= JSON.parse(document.getElementById("parts").textContent);
  detail.dataset.drawn = "yes";
  detail.insertAdjacentHTML("beforeend", parts[detail.dataset.part]);
  listen(detail);
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

function listen(within) {
  for (const button of within.querySelectorAll("thead button")) {
    const act = button.classList.contains("fold") ? () => fold(button) : () => sort(button.parentElement);
    button.addEventListener("click", act);
  }
  for (const plot of within.querySelectorAll("svg[tabindex]")) {
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
}

listen(document);
for (const table of document.querySelectorAll(".records")) foldToFit(table);
document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
for (const detail of document.querySelectorAll("details[data-part]")) {
  detail.addEventListener("toggle", () => draw(detail));
}
addEventListener("beforeprint", () => {
  for (const detail of document.querySelectorAll("details")) {
    detail.open = true;
    draw(detail);
  }
});
