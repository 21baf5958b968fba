"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const figures = read("figures");
  const themes = read("themes");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const hidden = new Set();
  const drawn = new Set();

  // --- figures: drawn as they come near, all of them before printing ---
  function draw(figure) {
    const place = document.getElementById(figure.id);
    const narrow = place.clientWidth < 640;
    const { template, diverging } = themes[dark.matches ? "dark" : "light"];
    const ink = template.layout.font.color;
    const data = figure.data.map((trace) => {
      const meta = trace.meta || {};
      const shown = { ...trace, showlegend: false, visible: !hidden.has(meta.method) };
      if (trace.type === "bar" && trace.error_x) shown.error_x = { ...trace.error_x, color: ink };
      if (meta.ink) Object.assign(shown, { line: { ...trace.line, color: ink }, textfont: { color: ink } });
      if (meta.ink && trace.mode === "markers") shown.marker = { ...trace.marker, color: ink };
      return shown;
    });
    const layout = structuredClone(figure.layouts[narrow ? "narrow" : "wide"]);
    layout.template = template;
    if (layout.coloraxis) layout.coloraxis.colorscale = diverging;
    layout.paper_bgcolor = "rgba(0,0,0,0)";
    layout.autosize = true;
    layout.dragmode = false;
    const image = { filename: figure.file, format: "svg" };
    // where nothing hovers, plotly would show its buttons always, over a title
    const buttons = !narrow && matchMedia("(hover: hover)").matches ? "hover" : false;
    const config = { responsive: true, displaylogo: false, toImageButtonOptions: image,
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"], displayModeBar: buttons };
    figure.narrow = narrow;
    figure.width = place.clientWidth;
    drawn.add(figure.id);
    return Plotly.react(place, data, layout, config).then(() => { place.dataset.drawn = "yes"; });
  }

  const redraw = () => figures.filter((f) => drawn.has(f.id)).forEach(draw);
  const byId = new Map(figures.map((f) => [f.id, f]));
  const nearby = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      nearby.unobserve(entry.target);
      draw(byId.get(entry.target.id));
    }
  }, { rootMargin: "600px" });
  figures.forEach((f) => nearby.observe(document.getElementById(f.id)));

  // --- what is folded: opened by a link into it, and all of it for print ---
  const folds = [...document.querySelectorAll("details")];
  function unfold(id) {
    const target = document.getElementById(id);
    for (let e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
    if (target) target.scrollIntoView();
  }
  const follow = () => unfold(decodeURIComponent(location.hash.slice(1)));
  addEventListener("hashchange", follow);
  document.querySelectorAll('a[href^="#"]').forEach((a) => a.addEventListener("click", () => unfold(a.hash.slice(1))));
  if (innerWidth < 1000) document.querySelector("details.contents").open = false;
  if (location.hash) follow();
  const drawAll = () => {
    folds.forEach((fold) => { fold.open = true; });
    return Promise.all(figures.filter((f) => !drawn.has(f.id)).map(draw));
  };
  for (const fold of folds) {  // what is folded has no width to be drawn for
    fold.addEventListener("toggle", () => fold.open && figures
      .filter((f) => drawn.has(f.id) && fold.contains(document.getElementById(f.id)))
      .filter((f) => document.getElementById(f.id).clientWidth !== f.width).forEach(draw));
  }
  let closed = [];
  addEventListener("beforeprint", () => { closed = folds.filter((fold) => !fold.open); drawAll(); });
  addEventListener("afterprint", () => closed.forEach((fold) => { fold.open = false; }));

  // --- tables: a cue where more lies to the right ---
  const scrolls = [...document.querySelectorAll(".scroll")];
  const cue = (s) => s.classList.toggle("more", s.scrollWidth - s.clientWidth - s.scrollLeft > 2);
  const sizes = new ResizeObserver((entries) => entries.forEach((e) => cue(e.target)));
  for (const s of scrolls) {
    s.addEventListener("scroll", () => cue(s), { passive: true });
    sizes.observe(s);
  }

  dark.addEventListener("change", redraw);
  addEventListener("resize", () => figures
    .filter((f) => drawn.has(f.id) && f.columns > 1 && (document.getElementById(f.id).clientWidth < 640) !== f.narrow)
    .forEach(draw));

  // --- filter by method ---
  function filter() {
    for (const element of document.querySelectorAll("main [data-method]")) {
      element.classList.toggle("off", hidden.has(element.dataset.method));
    }
    redraw();
  }
  const chips = [...document.querySelectorAll(".filter button[data-method]")];
  function press(methods) {
    hidden.clear();
    methods.forEach((m) => hidden.add(m));
    chips.forEach((c) => c.setAttribute("aria-pressed", String(!hidden.has(c.dataset.method))));
    filter();
  }
  chips.forEach((chip) => chip.addEventListener("click", () => {
    const next = new Set(hidden);
    if (!next.delete(chip.dataset.method)) next.add(chip.dataset.method);
    press(next);
  }));
  const all = document.querySelector(".filter button.all");
  if (all) all.addEventListener("click", () => press(hidden.size ? [] : chips.map((c) => c.dataset.method)));

  // --- sortable tables ---
  function key(row, column) {
    const cell = row.cells[column];
    const raw = cell.dataset.sort ?? cell.textContent;
    const number = Number(raw);
    return raw.trim() === "" || Number.isNaN(number) ? raw.toLowerCase() : number;
  }
  const last = (v) => v === "–" || v === "nan";
  function compare(a, b, sign) {
    if (last(a) || last(b)) return last(a) - last(b);
    if (typeof a === typeof b) return sign * (a < b ? -1 : a > b ? 1 : 0);
    return typeof a === "number" ? -1 : 1;
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => compare(key(a, column), key(b, column), descending ? -1 : 1));
      const below = (row) => row.classList.contains("last");
      table.tBodies[0].append(...rows.filter((r) => !below(r)), ...rows.filter(below));
    }));
  }

  window.report = { drawAll, figures: figures.map((f) => f.id) };
})();
