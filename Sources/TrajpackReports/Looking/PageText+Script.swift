extension PageText {
  /// The parts of the page that are about the dataset, and the list of episodes.
  static let script = #"""

    "use strict";
    const read = id => JSON.parse(document.getElementById(id).textContent);
    const H = read("head"), main = document.getElementById("main");
    function el(tag, name, text) {
      const e = document.createElement(tag);
      if (name) e.className = name;
      if (text !== undefined && text !== null) e.textContent = text;
      return e;
    }
    const add = (parent, ...children) => { parent.append(...children); return parent; };
    const many = n => Math.round(n).toLocaleString("en-US");
    const some = (n, thing) => `${many(n)} ${thing}${n === 1 ? "" : "s"}`;
    function num(v) {
      if (v === null || v === undefined || !isFinite(v)) return "–";
      if (v === 0) return "0";
      const a = Math.abs(v);
      if (a >= 1e7 || a < 1e-4) return v.toExponential(2).replace("e+", "e");
      return String(+v.toPrecision(a >= 1000 ? 6 : 4));
    }
    function size(n) {
      const units = ["B", "KiB", "MiB", "GiB", "TiB"];
      let u = 0;
      while (n >= 1000 && u < 4) { n /= 1024; u += 1; }
      return `${n >= 100 || u === 0 ? Math.round(n) : +n.toPrecision(2)} ${units[u]}`;
    }
    function span(v, unit) {
      if (unit !== "s" || v < 90) return `${num(v)} ${unit}`;
      v = Math.round(v);
      const d = Math.floor(v / 86400), h = Math.floor(v / 3600) % 24, m = Math.floor(v / 60) % 60, s = v % 60;
      return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : `${m} min ${s} s`;
    }
    function moment(t, unit) {
      if (unit === "date") { const d = new Date(t * 1000); return isNaN(d) ? num(t) : d.toISOString().replace("T", " ").slice(0, 19); }
      return `${num(t)} ${unit}`;
    }
    const probe = add(main, el("span")).lastChild;
    probe.hidden = true;
    let colours = {};
    function colour(name) {
      if (!(name in colours)) { probe.style.color = `var(--${name})`; colours[name] = getComputedStyle(probe).color; }
      return colours[name];
    }
    const entityColour = n => n < 0 ? "none" : `c${n}`;

    // The dataset.
    const top_ = add(main, el("div", "top")).lastChild;
    const names = el("div");
    add(top_, names);
    add(names, el("h1", "", H.title));
    const shown = H.episodes.length;
    add(names, el("p", "sub", (H.source ? `made from ${H.source} · ` : "") + `digest ${H.digest}`
      + (shown < H.all ? ` · ${many(shown)} of ${many(H.all)} episodes are shown; statistics, actions and schemes are of all` : "")));
    const theme = el("button", "", "light / dark");
    theme.onclick = () => {
      const dark = getComputedStyle(document.documentElement).colorScheme === "dark"
        || (getComputedStyle(document.documentElement).colorScheme !== "light"
          && matchMedia("(prefers-color-scheme: dark)").matches);
      document.documentElement.style.colorScheme = dark ? "light" : "dark";
      repaint();
    };
    add(top_, theme);
    const facts = add(main, el("div", "facts")).lastChild;
    function fact(value, label) { add(facts, add(el("div", "fact"), el("b", "", value), el("span", "", label))); }
    fact(many(H.all), H.all === 1 ? "episode" : "episodes");
    fact(many(H.rows), "frames");
    for (const [unit, amount] of Object.entries(H.durations)) fact(span(amount, unit), "of recording");
    fact(many(H.streams.length), H.streams.length === 1 ? "stream" : "streams");
    fact(many(H.channels.length), "channels of numbers");
    fact(size(H.bytes), `in ${some(H.shards, "shard")}`);

    const cards = add(main, el("div", "cards")).lastChild;
    function card(title, ...children) {
      const c = add(el("div", "card"), el("h3", "", title), ...children);
      add(cards, c);
      return c;
    }
    const wheel = ["c0", "c1", "c2", "c3", "c4", "c5", "c7", "c8", "c9"];
    if (H.splits.length) {
      const c = card("Splits");
      for (const scheme of H.splits) {
        if (H.splits.length > 1) add(c, el("div", "dim", scheme.name));
        const bar = el("div", "bar"), keys = el("div", "keys");
        scheme.parts.forEach((part, n) => {
          const ink = part.name === "in none" ? "rule" : wheel[n % wheel.length];
          const i = el("i");
          i.style.cssText = `background:var(--${ink});flex:${Math.max(part.rows, 1)}`;
          i.title = `${part.name}: ${some(part.episodes, "episode")}, ${some(part.rows, "row")}`;
          add(bar, i);
          const key = el("span"), dot = el("i");
          dot.style.background = `var(--${ink})`;
          add(keys, add(key, dot, `${part.name}: ${many(part.episodes)}, ${many(part.rows)} rows`));
        });
        add(c, bar, keys);
      }
    }
    if (new Set(H.episodes.map(e => e.rows)).size > 1) {
      const lengths = H.episodes.map(e => e.rows), most = Math.max(...lengths), least = Math.min(...lengths);
      const c = card("Rows of episodes");
      const bins = Math.min(24, Math.max(4, Math.ceil(Math.sqrt(shown)))), counts = new Array(bins).fill(0);
      for (const n of lengths) counts[Math.min(bins - 1, Math.floor((n - least) / (most - least) * bins))] += 1;
      const box = el("div");
      box.style.cssText = "display:flex;align-items:flex-end;gap:2px;height:84px";
      counts.forEach((n, b) => {
        const i = el("i");
        i.style.cssText = `flex:1;border-radius:3px 3px 0 0;background:var(--c0);height:${n ? Math.max(2, n / Math.max(...counts) * 100) : 0}%`;
        i.title = `${many(least + b * (most - least) / bins)} to ${many(least + (b + 1) * (most - least) / bins)}: ${some(n, "episode")}`;
        add(box, i);
      });
      const ends = el("div", "dim");
      ends.style.cssText = "display:flex;justify-content:space-between;font-size:12px;margin-top:4px";
      const middle = [...lengths].sort((a, b) => a - b)[Math.floor(shown / 2)];
      add(ends, el("span", "", many(least)), el("span", "", `median ${many(middle)}`), el("span", "", many(most)));
      add(c, box, ends);
    }
    if (H.actions && H.actions.top.length) {
      const c = card(`Actions: ${many(H.actions.count)} different`), list = el("div", "rank");
      for (const a of H.actions.top) {
        const box = el("div");
        box.style.width = `${a.rows / H.actions.top[0].rows * 100}%`;
        add(list, el("span", "", a.text), box, el("span", "", `${many(a.rows)} rows, ${some(a.runs, "run")}`));
      }
      add(c, list, el("div", "dim", H.actions.channels.join(" / ")));
      c.lastChild.style.cssText = "font-size:12px;margin-top:6px";
    }

    function table(head, rows, parent) {
      const t = el("table"), line = el("tr");
      head.forEach(([name, kind]) => add(line, el("th", kind, name)));
      add(t, add(el("thead"), line));
      const body = el("tbody");
      for (const row of rows) {
        const tr = el("tr");
        row.forEach((cell, n) => add(tr, cell instanceof Node ? add(el("td"), cell)
          : el("td", `${head[n][1] || ""}${cell && cell.warn ? " w" : ""}`, cell && cell.warn ? cell.warn : cell)));
        add(body, tr);
      }
      add(parent, add(el("div", "wide"), add(t, body)));
    }

    // What looks odd.
    const general = [];
    for (const c of H.channels) {
      if (c.count === 0 && c.missing === 1) general.push(`${c.name} was never observed`);
      else if (c.missing >= .05) general.push(`${c.name}: ${num(c.missing * 100)} % not observed`);
      if (c.infinite) general.push(`${c.name}: ${some(c.infinite, "infinite value")}`);
    }
    const still = H.channels.filter(c => c.constant && c.count > 1).map(c => c.name);
    if (still.length) general.push(`constant: ${still.slice(0, 8).join(", ")}${still.length > 8 ? ` and ${still.length - 8} more` : ""}`);
    if (H.blind) general.push(`${some(H.blindCount, "episode")} without pictures: ${H.blind}`);
    const strange = H.episodes.map((e, n) => [e, n]).filter(([e]) => e.odd.length);
    add(main, el("h2", "", "What looks odd"));
    const oddCard = add(main, el("div", "card")).lastChild;
    if (!general.length && !strange.length) add(oddCard, el("div", "dim", "Nothing that these rules find: missing and infinite values, "
      + "gaps and jumps of time, entities that leave, curves that stand still, and episodes far from the others."));
    const list = add(oddCard, el("ul", "odd")).lastChild;
    for (const text of general) add(list, el("li", "", text));
    for (const [e, n] of strange.slice(0, 16)) {
      const a = el("a", "", e.id);
      a.href = "#";
      a.onclick = event => { event.preventDefault(); go(n); };
      add(list, add(el("li"), a, `  ${e.odd[0]}${e.odd.length > 1 ? `, and ${e.odd.length - 1} more` : ""}`));
    }
    if (strange.length > 16) {
      const all = el("button", "", `all ${many(strange.length)} odd episodes`);
      all.onclick = () => { onlyOdd.checked = true; choose(); document.querySelector(".tools").scrollIntoView(); };
      all.style.marginTop = "8px";
      add(oddCard, all);
    }

    // Streams and channels.
    add(main, el("h2", "", "Streams"));
    const streams = add(main, el("div", "card")).lastChild;
    table([["stream"], ["rows", "n"], ["tracks", "n"], ["of"], ["clock"], ["channels", "n"], ["stored", "n"], ["", "t"]],
      H.streams.map(s => [s.name, many(s.rows), many(s.tracks), s.of, s.clock, many(s.channels), size(s.bytes),
        s.about || (s.video ? "video" : "")]), streams);
    // Quantiles as a box: 1, 5, 10, 25, 50, 75, 90, 95, 99 %.
    function box(c) {
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), length = c.max - c.min;
      svg.setAttribute("width", 120);
      svg.setAttribute("height", 14);
      const part = (a, b, h, o) => {
        const r = document.createElementNS(svg.namespaceURI, "rect"), x = (a - c.min) / length * 116 + 2;
        r.setAttribute("x", x); r.setAttribute("width", Math.max((b - a) / length * 116, 1.5));
        r.setAttribute("y", 7 - h / 2); r.setAttribute("height", h); r.setAttribute("rx", 1);
        r.style.cssText = `fill:var(--c0);opacity:${o}`;
        svg.append(r);
      };
      part(c.min, c.max, 1, .5); part(c.q[1], c.q[7], 5, .4); part(c.q[3], c.q[5], 10, .6); part(c.q[4], c.q[4], 14, 1);
      return svg;
    }
    const fold = add(main, el("details")).lastChild;
    fold.open = H.channels.length <= 24;
    add(fold, el("summary", "", `Statistics of ${some(H.channels.length, "channel")}`));
    const channels = add(fold, el("div", "card")).lastChild;
    table([["channel"], ["kind"], ["type"], ["units"], ["min", "n"], ["mean", "n"], ["max", "n"], ["std", "n"], ["missing", "n"],
      ["distribution"]],
      H.channels.flatMap(c => [c, ...(c.parts || []).map(p => ({ ...p, name: `    ${p.name}`, kind: "", type: "", units: "" }))]).map(c => [c.name, c.kind, c.type, c.units, num(c.min), num(c.mean), num(c.max), num(c.std),
        c.missing ? { warn: `${c.missing < .001 ? "<0.1" : num(c.missing * 100)} %` } : "",
        c.names ? c.names.join(", ") : c.q && c.max > c.min ? box(c) : c.constant ? "constant" : ""]), channels);

    // Episodes.
    add(main, el("h2", "", "Episodes"));
    const tools = add(main, el("div", "tools")).lastChild;
    const search = el("input"), split = el("select"), order = el("select"), onlyOdd = el("input"), count = el("span", "dim");
    search.type = "search";
    search.placeholder = "id, value or what is odd";
    const splitNames = [...new Set(H.episodes.map(e => e.split))];
    add(split, new Option("all splits", "*"), ...splitNames.map(s => new Option(s || "no split", s)));
    add(order, ...["as recorded", "longest first", "shortest first", "oddest first"].map(o => new Option(o, o)));
    onlyOdd.type = "checkbox";
    add(tools, search);
    if (splitNames.length > 1) add(tools, split);
    if (shown > 1) add(tools, order);
    if (strange.length) add(tools, add(el("label"), onlyOdd, "odd ones only"));
    add(tools, count);
    const stack = add(main, el("div")).lastChild;
    const hosts = H.episodes.map((e, n) => {
      const host = el("section", "ep");
      host.dataset.n = n;
      host.style.minHeight = "420px";
      return host;
    });
    const words = H.episodes.map((e, n) => [e.id, ...e.odd, ...H.values.map(v => v.cells[n])].join("\n").toLowerCase());
    let height = 0;
    const watch = new IntersectionObserver(entries => {
      for (const entry of entries) {
        const host = entry.target;
        if (entry.isIntersecting && !host.firstChild) {
          draw(host, +host.dataset.n);
          height = host.offsetHeight;
        } else if (!entry.isIntersecting && host.firstChild) {
          // What is far away gives its memory back and keeps its place.
          host.style.minHeight = `${host.offsetHeight}px`;
          host.replaceChildren();
        }
      }
    }, { rootMargin: "900px 0px" });
    function choose() {
      const text = search.value.trim().toLowerCase();
      let found = H.episodes.map((e, n) => n).filter(n => (!text || words[n].includes(text))
        && (split.value === "*" || H.episodes[n].split === split.value) && (!onlyOdd.checked || H.episodes[n].odd.length));
      const by = { "longest first": n => -H.episodes[n].rows, "shortest first": n => H.episodes[n].rows,
        "oddest first": n => -H.episodes[n].odd.length }[order.value];
      if (by) found.sort((a, b) => by(a) - by(b) || a - b);
      watch.disconnect();
      for (const n of found) if (height && !hosts[n].firstChild && hosts[n].style.minHeight === "420px") hosts[n].style.minHeight = `${height}px`;
      stack.replaceChildren(...found.map(n => hosts[n]));
      // The first are there at once.
      for (const n of found.slice(0, 2)) if (!hosts[n].firstChild) draw(hosts[n], n);
      for (const n of found) watch.observe(hosts[n]);
      count.textContent = found.length === shown ? some(shown, "episode") : `${many(found.length)} of ${many(shown)}`;
    }
    function go(n) {
      if (!hosts[n].isConnected) { search.value = ""; split.value = "*"; onlyOdd.checked = false; choose(); }
      hosts[n].scrollIntoView();
      // Those on the way are drawn only now and may be of other heights.
      setTimeout(() => hosts[n].scrollIntoView(), 120);
    }
    for (const input of [search, split, order, onlyOdd]) input.oninput = choose;

    """#
}
