"use strict";
// Cards are built page by page from the rows in this document: thousands of them at once would be slow.
// Text goes in through textContent only, so that no file name can become markup.
(() => {
  const source = document.getElementById("rows");
  const rows = JSON.parse(source.textContent);
  const perPage = Number(source.dataset.perPage);
  const statuses = ["failed", "review", "done", "unchanged"];
  const state = { status: "all", text: "", order: "name", page: 0 };
  const by = (id) => document.getElementById(id);

  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "text") node.textContent = value;
      else if (key === "style") for (const [name, v] of Object.entries(value)) node.style.setProperty(name, v);
      else node.setAttribute(key, value);
    }
    node.append(...children.filter(Boolean));
    return node;
  }

  const duration = (s) => (s < 0.0995 ? `${Math.round(s * 1000)} ms` : s < 10 ? `${s.toFixed(2)} s` : `${s.toFixed(1)} s`);
  const percent = (v) => `${(100 * v).toFixed(v < 0.1 ? 1 : 0)} %`;
  const objects = (row) => row.objects || [];
  const least = (row) => Math.min(2, ...objects(row).map((o) => o[1]));

  const orders = {
    name: () => 0, // as they come
    share: (a, b) => (b.share || 0) - (a.share || 0),
    objects: (a, b) => objects(b).length - objects(a).length,
    score: (a, b) => least(a) - least(b),
    seconds: (a, b) => (b.seconds || 0) - (a.seconds || 0),
  };

  function chosen() {
    const text = state.text.toLowerCase();
    const fits = (row) =>
      (state.status === "all" || row.status === state.status) &&
      (!text || row.name.toLowerCase().includes(text) || objects(row).some((o) => o[0].toLowerCase().includes(text)));
    return rows.filter(fits).sort(orders[state.order]);
  }

  function picture(kind, address, label) {
    return make("img", { class: kind, src: address, alt: label, loading: "lazy" });
  }

  const named = ([label, score, , , , , owner]) => `${label} ${score.toFixed(2)}${owner ? `, with ${owner}` : ""}`;

  function framed(row, kind, [x1, y1, x2, y2], text) {
    const [height, width] = row.size;
    const style = {
      left: `${(100 * x1) / width}%`, top: `${(100 * y1) / height}%`,
      width: `${(100 * (x2 - x1)) / width}%`, height: `${(100 * (y2 - y1)) / height}%`,
    };
    return make("div", { class: kind, style }, make("span", { text }));
  }

  const complaints = { again: "still found", blur: "blurry", seam: "seam" };

  // What a second look complained of lies on the after picture, and is cut off with it.
  function marks(row) {
    const layer = make("div", { class: "marks" });
    for (const [kind, x1, y1, x2, y2] of row.size ? row.findings || [] : []) {
      layer.append(framed(row, `mark ${kind}`, [x1, y1, x2, y2], complaints[kind] || kind));
    }
    return layer;
  }

  function found(row, previews) {
    const layer = make("div", { class: "found" });
    if (previews.mask) layer.append(picture("mask", previews.mask, "what was masked"));
    for (const one of row.size ? objects(row) : []) layer.append(framed(row, "box", one.slice(2, 6), named(one)));
    return layer;
  }

  function view(row) {
    const previews = row.previews || {};
    const single = previews.thumb || previews.before;
    const box = make("div", { class: "view" });
    const ratio = row.size ? row.size[1] / row.size[0] : 1.5;
    box.style.setProperty("--ratio", ratio);
    if (!single) {
      box.append(make("div", { class: "missing", text: row.status === "failed" ? "cannot be shown" : "no preview" }));
      box.style.setProperty("--ratio", 5);
      return box;
    }
    const first = picture("before", single, previews.after ? `before: ${row.name}` : row.name);
    if (!row.size) first.addEventListener("load", () => box.style.setProperty("--ratio", first.naturalWidth / first.naturalHeight));
    box.append(first);
    if (previews.after) box.append(picture("after", previews.after, `after: ${row.name}`));
    if (previews.after) box.append(marks(row));
    box.append(found(row, previews));
    if (previews.after) slider(box, row);
    return box;
  }

  function slider(box, row) {
    const range = make("input", {
      type: "range", min: 0, max: 100, step: 0.5, value: 50, "aria-label": `Before and after of ${row.name}`,
    });
    const move = () => {
      box.style.setProperty("--at", `${range.value}%`);
      range.setAttribute("aria-valuetext", `${Math.round(range.value)} percent before`);
    };
    range.addEventListener("input", move);
    box.append(range, make("div", { class: "edge" }));
    box.append(make("span", { class: "tag left", text: "before" }), make("span", { class: "tag right", text: "after" }));
    move();
  }

  // Each figure of the fill that has the worst of it; 1 is a fill that does not show.
  function secondLook(row) {
    const known = (i) => row.fills.map((fill) => fill[i]).filter((value) => value !== null);
    const seam = Math.max(...known(0)), sharpness = Math.min(...known(1));
    const line = make("p", { title: "Of the worst fill, beside its surroundings; 1 = it does not show" });
    line.append(make("span", { class: "quiet", text: "Second look: " }));
    if (isFinite(seam)) line.append(make("span", { class: "chip", text: `seam ${seam.toFixed(2)}` }));
    if (isFinite(sharpness)) line.append(make("span", { class: "chip", text: `sharpness ${sharpness.toFixed(2)}` }));
    if (row.again) line.append(make("span", { class: "chip", text: "filled twice" }));
    return line;
  }

  function words(row) {
    const name = row.link ? make("a", { href: row.link, text: row.name }) : make("span", { text: row.name });
    const text = make("div", { class: "text" }, make("h3", {}, name, make("span", { class: `status ${row.status}`, text: row.status })));
    if (row.reason) text.append(make("p", { class: `why ${row.status}`, text: row.reason }));
    if (objects(row).length) {
      const line = make("p", {});
      for (const one of objects(row)) line.append(make("span", { class: "chip", text: named(one) }));
      if (row.share) line.append(make("span", { class: "quiet", text: ` ${percent(row.share)} of the picture` }));
      text.append(line);
    }
    if (row.fills) text.append(secondLook(row));
    const times = make("p", {});
    for (const [stage, cached, seconds] of row.steps || []) {
      times.append(make("span", { class: cached ? "chip cached" : "chip", text: cached ? `${stage} cached` : `${stage} ${duration(seconds)}` }));
    }
    times.append(make("span", { class: "quiet", text: ` ${duration(row.seconds || 0)} in all` }));
    text.append(times);
    return text;
  }

  function card(row) {
    const plain = row.status === "unchanged" ? " plain" : "";
    return make("article", { class: `card ${row.status}${plain}` }, make("div", { class: "well" }, view(row)), words(row));
  }

  function turn(page) {
    state.page = page;
    show();
    by("tools").scrollIntoView();
  }

  function numbers(count) {
    const last = count - 1;
    const near = new Set([0, last, state.page - 1, state.page, state.page + 1]);
    const shown = [...near].filter((p) => p >= 0 && p <= last).sort((a, b) => a - b);
    by("pages").hidden = count < 2;
    by("pages").replaceChildren();
    shown.forEach((page, i) => {
      if (i && page > shown[i - 1] + 1) by("pages").append(make("span", { class: "quiet", text: "..." }));
      const button = make("button", { type: "button", text: String(page + 1) });
      if (page === state.page) button.setAttribute("aria-current", "page");
      button.addEventListener("click", () => turn(page));
      by("pages").append(button);
    });
  }

  const columnsThatFit = () => Math.max(1, Math.min(3, Math.floor(by("cards").clientWidth / 440)));
  let columns = 1;

  // Each card goes where there is most room, so that a tall picture leaves no gap beside it.
  function laidOut(shown) {
    const width = by("cards").clientWidth / columns;
    const stacks = Array.from({ length: columns }, () => ({ node: make("div", { class: "column" }), height: 0 }));
    for (const row of shown) {
      const stack = stacks.reduce((best, one) => (one.height < best.height ? one : best));
      stack.node.append(card(row));
      stack.height += 150 + (row.previews ? Math.min(610, row.size ? (width * row.size[0]) / row.size[1] : 300) : 90);
    }
    return stacks.map((stack) => stack.node);
  }

  function show() {
    const fitting = chosen();
    const start = state.page * perPage;
    columns = columnsThatFit();
    by("cards").replaceChildren(...laidOut(fitting.slice(start, start + perPage)));
    if (!fitting.length) by("cards").append(make("p", { class: "empty", text: "No picture fits." }));
    numbers(Math.ceil(fitting.length / perPage));
  }

  function filters() {
    for (const status of ["all", ...statuses]) {
      const count = status === "all" ? rows.length : rows.filter((row) => row.status === status).length;
      if (!count && status !== "all") continue;
      const button = make("button", { type: "button", text: `${status} ${count}`, "aria-pressed": status === "all" });
      button.addEventListener("click", () => {
        for (const other of by("filters").children) other.setAttribute("aria-pressed", other === button);
        Object.assign(state, { status, page: 0 });
        show();
      });
      by("filters").append(button);
    }
  }

  // Failures and reviews come first; within a status the order of the journal stays.
  rows.sort((a, b) => statuses.indexOf(a.status) - statuses.indexOf(b.status));
  filters();
  by("search").addEventListener("input", (event) => { Object.assign(state, { text: event.target.value, page: 0 }); show(); });
  by("order").addEventListener("change", (event) => { Object.assign(state, { order: event.target.value, page: 0 }); show(); });
  by("masks").addEventListener("change", (event) => by("cards").classList.toggle("masks", event.target.checked));
  window.addEventListener("resize", () => { if (columnsThatFit() !== columns) show(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "m" && !event.ctrlKey && !event.metaKey && event.target.type !== "search") by("masks").click();
  });
  by("tools").hidden = false;
  show();
})();
