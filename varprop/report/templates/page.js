
"use strict";
// Tables that sort, figures that open large, and a print-out in which nothing is folded. Without this script all is readable.

const number = /[+-]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[+-]?\d+)?/i;

function value(row, column) {
  const cell = row.cells[column];
  const text = cell.textContent.trim();
  const found = text.match(number);
  const numeric = found && /^[±<>∞]?\s*[+-]?[\d.]/.test(text);
  return numeric ? parseFloat(found[0].replaceAll(",", "")) : text.replace(/^[✓✗?]\s*/, "");
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return a.localeCompare(b, "en", { numeric: true });
}

function sort(table, column, heading) {
  const ascending = heading.getAttribute("aria-sort") !== "ascending";
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => [value(row, column), row]);
  rows.sort(([a], [b]) => (ascending ? compare(a, b) : compare(b, a)));
  body.append(...rows.map(([, row]) => row));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
}

for (const table of document.querySelectorAll("table.sortable")) {
  if (table.tBodies[0].rows.length < 2) continue;
  Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
    if (heading.classList.contains("unsorted")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(table, column, heading));
    heading.append(button);
  });
}

const dialog = document.createElement("dialog");
const close = document.createElement("button");
const stage = document.createElement("div");
close.type = "button";
close.textContent = "Close";
close.addEventListener("click", () => dialog.close());
stage.className = "stage";
stage.tabIndex = 0;
stage.setAttribute("role", "region");
stage.setAttribute("aria-label", "Enlarged figure");
dialog.append(close, stage);
document.body.append(dialog);

// The drawing itself is moved and not copied: its parts have ids, which may not be there twice.
function enlarge(drawing, name) {
  const home = document.createComment("");
  drawing.replaceWith(home);
  stage.replaceChildren(drawing);
  dialog.setAttribute("aria-label", name);
  dialog.addEventListener("close", () => home.replaceWith(drawing), { once: true });
  dialog.showModal();
}

dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});

for (const link of document.querySelectorAll("a.enlarge")) {
  const drawing = link.closest("figure").querySelector("svg");
  const name = link.getAttribute("aria-label").replace(/^Enlarge: /, "");
  link.setAttribute("role", "button");
  link.setAttribute("aria-haspopup", "dialog");
  link.addEventListener("click", (event) => {
    event.preventDefault();
    enlarge(drawing, name);
  });
  link.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      event.preventDefault();
      link.click();
    }
  });
  drawing.classList.add("zoomable");
  drawing.addEventListener("click", () => {
    if (!dialog.open) enlarge(drawing, name);
  });
}

let folded = [];
addEventListener("beforeprint", () => {
  folded = Array.from(document.querySelectorAll("details:not([open])"));
  for (const one of folded) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of folded) one.open = false;
});
