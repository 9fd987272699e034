// The console works without this script; with it the figures are drawn, lists
// can be walked with the keyboard, and grave acts ask first.
"use strict";

(() => {
  const root = document.documentElement;
  const language = root.lang;
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);

  // colour resolves a name of the style sheet, such as --accent, as it is now.
  function colour(name) {
    probe.style.color = "var(" + name + ")";
    return getComputedStyle(probe).color;
  }

  // dress puts colours in the place of their names, all the way down.
  function dress(x) {
    if (typeof x === "string") return x.startsWith("--") ? colour(x) : x;
    if (Array.isArray(x)) return x.map(dress);
    if (x && typeof x === "object") {
      const out = {};
      for (const key in x) out[key] = dress(x[key]);
      return out;
    }
    return x;
  }

  function formatter(unit, currency) {
    const make = (options) => {
      const f = new Intl.NumberFormat(language, options);
      return (x) => f.format(x);
    };
    if (unit === "money") return make({ style: "currency", currency: currency || "EUR", notation: "compact", maximumFractionDigits: 1 });
    if (unit === "money4") return make({ style: "currency", currency: currency || "EUR", maximumFractionDigits: 4 });
    if (unit === "percent") return make({ style: "percent", maximumFractionDigits: 0 });
    return make({ maximumFractionDigits: 2 });
  }

  // interval draws a bar from low to high with ends, for custom series.
  function interval(params, api) {
    const place = api.value(0);
    const from = api.coord([api.value(1), place]);
    const to = api.coord([api.value(2), place]);
    const style = { stroke: api.visual("color"), lineWidth: 2, fill: null };
    const end = (p) => ({ type: "line", shape: { x1: p[0], y1: p[1] - 5, x2: p[0], y2: p[1] + 5 }, style });
    return { type: "group", children: [{ type: "line", shape: { x1: from[0], y1: from[1], x2: to[0], y2: to[1] }, style }, end(from), end(to)] };
  }

  const drawn = [];

  function draw(box, data) {
    const chart = echarts.init(box, null, { renderer: "canvas", devicePixelRatio: Math.max(2, window.devicePixelRatio || 1) });
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const paint = () => {
      const o = dress(data.option);
      const ink = colour("--muted");
      const format = formatter(data.unit, data.currency);
      for (const key of ["xAxis", "yAxis"]) {
        const axis = o[key];
        axis.axisLabel = Object.assign({ color: ink, hideOverlap: true }, axis.axisLabel);
        axis.axisLine = { show: axis.type === "category", lineStyle: { color: colour("--line-strong") } };
        axis.splitLine = { show: axis.type === "value", lineStyle: { color: colour("--line") } };
        axis.nameTextStyle = { color: ink };
        if (axis.type === "value") axis.axisLabel.formatter = format;
      }
      for (const s of o.series) {
        if (s.renderItem === "interval") s.renderItem = interval;
      }
      if (o.legend) o.legend.textStyle = { color: ink };
      const tips = data.tips || [];
      o.tooltip = Object.assign({
        trigger: "axis", renderMode: "richText", confine: true, backgroundColor: colour("--card"), borderColor: colour("--line-strong"),
        textStyle: { color: colour("--ink"), fontSize: 13, lineHeight: 19 },
        formatter: (p) => {
          const first = Array.isArray(p) ? p[0] : p;
          const value = first.value;
          const i = first.seriesType === "scatter" && Array.isArray(value) && o.xAxis.type === "category" ? value[0] : first.dataIndex;
          return tips[i] || "";
        },
      }, o.tooltip);
      o.grid = Object.assign({ left: 8, right: 18, top: o.legend ? 34 : 14, bottom: o.xAxis.name ? 30 : 6, containLabel: true }, o.grid);
      o.textStyle = { fontFamily: getComputedStyle(document.body).fontFamily };
      o.animation = !still;
      o.animationDuration = 250;
      chart.setOption(o, true);
    };
    paint();
    new ResizeObserver(() => chart.resize()).observe(box);
    drawn.push({ chart, paint });
  }

  function drawAll(within) {
    for (const box of within.querySelectorAll(".chart")) {
      const data = box.nextElementSibling;
      if (data && data.type === "application/json") draw(box, JSON.parse(data.textContent));
    }
  }

  function repaint() {
    for (const d of drawn) d.paint();
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  for (const when of ["beforeprint", "afterprint"]) {
    addEventListener(when, () => {
      for (const d of drawn) d.chart.resize();
      repaint();
    });
  }

  drawAll(document);

  // What takes longer than a page may is asked for once the page stands.
  for (const later of document.querySelectorAll("[data-later]")) {
    fetch(later.dataset.later).then((r) => (r.ok ? r.text() : Promise.reject(r.status))).then((text) => {
      const piece = new DOMParser().parseFromString(text, "text/html").querySelector("figure");
      if (!piece) return;
      later.replaceWith(piece);
      drawAll(piece);
    }).catch(() => later.classList.add("failed"));
  }

  for (const button of document.querySelectorAll("[data-ask]")) {
    button.addEventListener("click", (e) => {
      if (!confirm(button.dataset.ask)) e.preventDefault();
    });
  }
  for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => print());
  for (const all of document.querySelectorAll("[data-all]")) {
    all.addEventListener("change", () => {
      for (const box of document.querySelectorAll("input[form=bulk]")) box.checked = all.checked;
    });
  }

  // The menu closes on Escape and on a click elsewhere.
  const menu = document.querySelector("details.menu");
  if (menu) {
    document.addEventListener("click", (e) => {
      if (!menu.contains(e.target)) menu.open = false;
    });
  }

  // A form that was opened by a link, such as #other, stands open.
  if (location.hash) {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  }

  // Keys of one letter can be switched off: they may clash with those of a
  // screen reader or with dictation.
  const shortcuts = document.querySelector("[data-shortcuts]");
  const off = () => localStorage.getItem("rappel-shortcuts") === "off";
  if (shortcuts) {
    shortcuts.checked = !off();
    shortcuts.addEventListener("change", () => localStorage.setItem("rappel-shortcuts", shortcuts.checked ? "on" : "off"));
  }

  const rows = () => [...document.querySelectorAll("[data-row]")];
  let place = -1;
  function walk(step) {
    const list = rows();
    if (!list.length) return;
    place = Math.min(Math.max(place + step, 0), list.length - 1);
    for (const row of list) row.classList.remove("here");
    list[place].classList.add("here");
    const link = list[place].querySelector("[data-open], a, button");
    if (link) link.focus({ preventScroll: true });
    list[place].scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && menu && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
      return;
    }
    if (off() || e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, select, textarea")) return;
    if (e.key === "/") {
      e.preventDefault();
      document.getElementById("q").focus();
    } else if (e.key === "j") walk(1);
    else if (e.key === "k") walk(-1);
    else {
      const page = document.querySelector('nav.pages a[data-key="' + CSS.escape(e.key) + '"]');
      if (page) page.click();
    }
  });
})();
