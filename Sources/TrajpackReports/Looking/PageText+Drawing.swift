extension PageText {
  /// The parts of the page that draw an episode.
  static let drawing = #"""

    const LEFT = 158, RIGHT = 70;
    function bytes(text) { const s = atob(text), out = new Uint8Array(s.length); for (let i = 0; i < s.length; i++) out[i] = s.charCodeAt(i); return out; }
    function prepare(canvas, width, height) {
      const ratio = window.devicePixelRatio || 1;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = `${height}px`;
      const c = canvas.getContext("2d");
      c.scale(ratio, ratio);
      return c;
    }
    function clip(c, text, width) {
      if (c.measureText(text).width <= width) return text;
      while (text.length > 1 && c.measureText(`${text}…`).width > width) text = text.slice(0, -1);
      return `${text}…`;
    }
    function draw(host, n) {
      const d = read(`e${n}`), about = H.episodes[n], box = add(host, el("div", "card")).lastChild;
      const head = add(box, el("header")).lastChild, name = el("b", "", d.id);
      if (d.split) add(name, el("span", "chip", d.split));
      add(head, name, el("span", "dim", `${some(d.rows, "row")} · ${span(d.to - d.from, d.unit)} · ${some(d.tracks, "track")} · ${many(d.all)} rows in all`));
      const values = H.values.map(v => [v, v.cells[n]]).filter(([, cell]) => cell !== "");
      if (about.odd.length || values.length) {
        const chips = add(box, el("div", "chips")).lastChild;
        for (const text of about.odd) add(chips, el("span", "", text));
        for (const [v, cell] of values) add(chips, el("span", "value", `${v.name} = ${cell}${v.units ? ` ${v.units}` : ""}`));
      }
      const hasPath = d.paths && d.paths.lines.length, body = add(box, el("div", hasPath ? "body" : "body alone")).lastChild;
      const left = add(body, el("div")).lastChild;
      const thumbs = [];
      d.strips.forEach((strip, s) => {
        const row = add(left, el("div", "strip")).lastChild, k = strip.frames.length;
        row.style.gridTemplateColumns = `repeat(${k}, minmax(0, ${Math.round(strip.w * 1.7)}px))`;
        row.title = strip.name;
        strip.frames.forEach((frame, i) => {
          const thumb = add(row, el("div", "thumb")).lastChild;
          thumb.style.cssText = `aspect-ratio:${strip.w}/${strip.h};background-image:url("${strip.src}");background-size:${k * 100}% 100%;background-position:${k > 1 ? i / (k - 1) * 100 : 0}% 0`;
          if (strip.bones && strip.bones[i].length) add(thumb, skeletons(strip, strip.bones[i]));
          add(thumb, el("em", "", s === 0 ? `frame ${frame}` : strip.name));
          if (s === d.strips.length - 1) thumbs.push([thumb, strip.times[i]]);
        });
      });
      const time = add(left, el("div", "time")).lastChild, canvas = add(time, el("canvas")).lastChild;
      timeline(d, time, canvas, thumbs, left);
      if (hasPath) path(d, add(body, el("div", "side")).lastChild);
    }
    function skeletons(strip, all) {
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), tall = 1000 * strip.h / strip.w;
      svg.setAttribute("viewBox", `0 0 1000 ${tall}`);
      for (const [ink, p] of all) {
        let lines = "", dots = "";
        for (let i = 0; i < p.length; i += 4) {
          lines += `M${p[i]} ${p[i + 1]}L${p[i + 2]} ${p[i + 3]}`;
          dots += `M${p[i]} ${p[i + 1]}h.1M${p[i + 2]} ${p[i + 3]}h.1`;
        }
        const parts = [[lines, "rgba(0,0,0,.55)", 11], [lines, `light-dark(${dark[ink + 1]}, ${dark[ink + 1]})`, 6.5]];
        if (ink !== 6) parts.push([dots, "#fff", 8]);
        for (const [path, stroke, width] of parts) {
          const e = document.createElementNS(svg.namespaceURI, "path");
          e.setAttribute("d", path);
          e.style.cssText = `stroke:${stroke};stroke-width:${width}`;
          svg.append(e);
        }
      }
      return svg;
    }
    // Over pictures the colours are the bright ones, whatever the page is.
    const dark = ["#9db8e8", "#4cc9f0", "#f9c74f", "#90e0a4", "#c7a0ff", "#ff6b6b", "#ff9f6e", "#ecf2fa", "#5eead4", "#f48fb1", "#c5e063"];

    const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
    const hash = text => { let h = 7; for (let i = 0; i < text.length; i++) h = (h * 31 + text.charCodeAt(i)) >>> 0; return (h % 97) / 96; };
    function timeline(d, time, canvas, thumbs, left) {
      const curves = d.plots.map(p => ({ ...p, about: H.plots[p.n], parts: (p.c || []).map(bytes) }));
      const lanes = d.lanes.map(l => ({ ...l, bytes: l.c ? bytes(l.c) : null }));
      let place = null;
      function paint() {
        const width = time.clientWidth;
        if (!width) return;
        const link = thumbs.length ? 30 : 4, rows = [];
        let y = link;
        for (const l of lanes) { const h = l.bytes ? 46 : 24; rows.push([l, y, h]); y += h + 8; }
        const drawn = curves.filter(p => !p.runs).length, tall = Math.max(drawn > 10 ? 34 : 44, Math.min(130, Math.floor(230 / Math.max(drawn, 1))));
        for (const p of curves) { const h = p.runs ? 20 : tall; rows.push([p, y, h]); y += h + 8; }
        const height = y + 22, c = prepare(canvas, width, height), right = width - RIGHT;
        const length = d.to - d.from || 1, x = t => LEFT + (t - d.from) / length * (right - LEFT);
        const ink = colour("ink"), soft = colour("soft"), rule = colour("rule"), panel = colour("panel");
        place = { x, right, rows, length };
        const write = (text, px, py, size, fill, align, limit) => {
          c.font = `${size}px ${FONT}`; c.fillStyle = fill; c.textAlign = align || "left"; c.textBaseline = "middle";
          c.fillText(limit ? clip(c, text, limit) : text, px, py);
        };
        // From each picture to its moment.
        const origin = time.getBoundingClientRect().left;
        for (const [thumb, t] of thumbs) {
          const b = thumb.getBoundingClientRect(), from = (b.left + b.right) / 2 - origin, to = x(t);
          c.strokeStyle = soft; c.globalAlpha = .45; c.lineWidth = 1;
          c.beginPath(); c.moveTo(from, 0); c.lineTo(from, 6); c.lineTo(to, link - 8); c.lineTo(to, y); c.stroke();
          c.globalAlpha = 1; c.fillStyle = soft; c.beginPath(); c.arc(from, 2, 2.2, 0, 7); c.fill();
        }
        const curve = (b, top, h, stroke, fill) => {
          const n = b.length / 2, px = i => LEFT + (i + .5) / n * (right - LEFT), py = v => top + h - 4 - v / 253 * (h - 8);
          let run = [];
          const flush = () => {
            if (run.length) {
              c.fillStyle = stroke; c.globalAlpha = fill ? .2 : .28; c.beginPath();
              run.forEach(([i, , hi], k) => k ? c.lineTo(px(i), py(hi)) : c.moveTo(px(i), py(hi)));
              if (fill) { c.lineTo(px(run[run.length - 1][0]), top + h); c.lineTo(px(run[0][0]), top + h); }
              else for (let k = run.length - 1; k >= 0; k--) c.lineTo(px(run[k][0]), py(run[k][1]));
              c.fill(); c.globalAlpha = 1; c.strokeStyle = stroke; c.lineWidth = 1.5; c.lineJoin = "round"; c.beginPath();
              run.forEach(([i, lo, hi], k) => {
                // A stretch with several values is a stroke from the smallest to the largest.
                if (k) c.lineTo(px(i), py(run[k - 1][1] > hi ? hi : lo)); else c.moveTo(px(i), py(lo));
                if (hi !== lo) { c.lineTo(px(i), py(hi)); c.lineTo(px(i), py((lo + hi) / 2)); }
              });
              if (run.length === 1) c.lineTo(px(run[0][0]) + 1.5, py(run[0][1]));
              c.stroke();
            }
            run = [];
          };
          for (let i = 0; i < n; i++) {
            const lo = b[2 * i], hi = b[2 * i + 1];
            if (lo === 255) flush(); else if (lo !== 254) run.push([i, lo, hi]);
          }
          flush();
        };
        const strip = (runs, top, h, fill, named) => {
          for (const [from, to, text] of runs) {
            const a = x(from), w = Math.max(x(to) - a - 1, .8);
            c.fillStyle = fill; c.globalAlpha = .3 + .65 * hash(text);
            c.beginPath(); c.roundRect(a, top, w, h, Math.min(2, w / 2)); c.fill(); c.globalAlpha = 1;
            if (named && w > 34) write(text, a + 5, top + h / 2, 11, ink, "left", w - 8);
          }
        };
        for (const [item, top, h] of rows) {
          const isLane = "kind" in item, fill = isLane ? colour(entityColour(item.colour)) : colour("p0");
          c.fillStyle = panel; c.beginPath(); c.roundRect(LEFT, top, right - LEFT, h, 4); c.fill();
          if (isLane) {
            // Hatched: nobody is there.
            c.save(); c.beginPath(); c.roundRect(LEFT, top, right - LEFT, h, 4); c.clip(); c.strokeStyle = rule; c.lineWidth = 1;
            c.beginPath();
            for (let k = LEFT - h; k < right; k += 8) { c.moveTo(k, top + h); c.lineTo(k + h, top); }
            c.stroke(); c.restore();
            let last = d.from;
            for (const [from, to] of [...item.runs, [d.to, d.to]]) {
              if (x(from) - x(last) > 70) write("absent", (x(from) + x(last)) / 2, top + h / 2, 11, soft, "center");
              last = to;
              if (to <= from) continue;
              c.fillStyle = panel; c.beginPath(); c.roundRect(x(from), top, Math.max(x(to) - x(from), 1), h, 4); c.fill();
              c.fillStyle = fill; c.globalAlpha = .14; c.fill(); c.globalAlpha = 1;
            }
            const low = item.actions ? 10 : 0;
            if (item.bytes) curve(item.bytes, top, h - low, fill, true);
            if (item.actions) strip(item.actions, item.bytes ? top + h - 9 : top + 4, item.bytes ? 6 : h - 8, fill, !item.bytes);
            write(`${item.kind} ${item.index}`, 0, top + (h > 30 ? 14 : h / 2), 14, fill, "left", LEFT - 10);
            const sub = [item.type !== undefined ? `type ${item.type}` : "", item.label || "", item.actions ? "actions" : ""].filter(Boolean).join(" · ");
            if (h > 30) write(sub, 0, top + 33, 11, soft, "left", LEFT - 10);
            if (item.bytes) { write(num(item.high), right + 8, top + 9, 11, soft); if (item.low !== item.high) write(num(item.low), right + 8, top + h - 14, 11, soft); }
          } else {
            const a = item.about;
            if (item.runs) strip(item.runs, top + 2, h - 4, fill, true);
            else item.parts.forEach((b, k) => curve(b, top, h, colour(`p${k % 4}`), false));
            write(a.label, 0, top + (h > 30 ? 14 : h / 2), 13, ink, "left", LEFT - 10);
            if (h > 30) {
              const names = a.parts.filter(Boolean);
              let at = 0;
              names.forEach((n, k) => { write(n, at, top + 32, 11, colour(`p${k % 4}`)); c.font = `11px ${FONT}`; at += c.measureText(n).width + 8; });
              const rest = a.parts.length && a.width > a.parts.length ? `${a.parts.length} of ${a.width}` : "";
              write([a.units, rest].filter(Boolean).join(" · "), at, top + 32, 11, soft, "left", LEFT - 10 - at);
              write(num(item.high), right + 8, top + 8, 11, soft);
              if (item.high !== item.low) write(num(item.low), right + 8, top + h - 8, 11, soft);
            }
          }
        }
        const step = nice(length / Math.max(2, Math.floor((right - LEFT) / 110)));
        for (let t = Math.ceil(d.from / step) * step; t <= d.to + step * 1e-6; t += step) {
          write(d.dates ? moment(t, "date").slice(0, step >= 3e7 ? 4 : step >= 86400 ? 10 : 16) : `${num(Math.abs(t) < step * 1e-6 ? 0 : t)} ${d.unit}`,
            Math.min(x(t), right + 20), y + 10, 11, soft, "center");
          c.strokeStyle = rule; c.beginPath(); c.moveTo(x(t), y); c.lineTo(x(t), y + 4); c.stroke();
        }
      }
      paint();
      const resized = new ResizeObserver(() => time.isConnected ? paint() : resized.disconnect());
      resized.observe(left);
      time.paint = paint;
      // What the values are under the pointer.
      const rule = add(time, el("div", "rule")).lastChild, tip = add(time, el("div", "tip")).lastChild;
      time.onpointerleave = () => { rule.style.display = tip.style.display = "none"; };
      time.onpointermove = event => {
        const px = event.clientX - time.getBoundingClientRect().left;
        if (!place || px < LEFT || px > place.right) { time.onpointerleave(); return; }
        const share = (px - LEFT) / (place.right - LEFT), t = d.from + share * place.length;
        rule.style.cssText = `display:block;left:${px}px`;
        tip.replaceChildren(el("b", "", moment(t, d.dates ? "date" : d.unit)));
        const value = (b, low, high) => {
          const n = b.length / 2, i = Math.min(n - 1, Math.floor(share * n)), lo = b[2 * i], hi = b[2 * i + 1];
          if (lo > 253) return "–";
          const at = v => num(low + v / 253 * (high - low));
          return at(lo) === at(hi) ? at(lo) : `${at(lo)} … ${at(hi)}`;
        };
        const held = runs => { const r = runs.find(([a, b]) => t >= a && t < b); return r ? r[2] : "–"; };
        const line = (text, name) => { const e = el("div", "", text); e.style.color = `var(--${name})`; add(tip, e); };
        for (const l of lanes) {
          const there = l.runs.some(([a, b]) => t >= a && t < b);
          line(`${l.kind} ${l.index}: ` + (there ? [l.bytes ? `${l.label} ${value(l.bytes, l.low, l.high)}` : "", l.actions ? held(l.actions) : ""].filter(Boolean).join(", ") || "there" : "absent"), entityColour(l.colour));
        }
        for (const p of curves) line(`${p.about.label}: ${p.runs ? held(p.runs) : p.parts.map(b => value(b, p.low, p.high)).join(", ")} ${p.about.units}`, "ink");
        tip.style.display = "block";
        tip.style.left = `${px + 14 + tip.offsetWidth > time.clientWidth ? px - tip.offsetWidth - 12 : px + 12}px`;
      };
    }
    function nice(v) {
      const p = 10 ** Math.floor(Math.log10(v)), m = v / p;
      return p * (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10);
    }
    // Places on a map, or a state's values against each other; three of them turn with the pointer.
    function path(d, side) {
      const canvas = el("canvas"), wide = d.paths.ranges.length;
      add(side, canvas);
      const lines = d.paths.lines.map(l => {
        const b = bytes(l.p), v = new Uint16Array(b.buffer), points = [];
        for (let i = 0; i + wide <= v.length; i += wide) points.push(Array.from(v.slice(i, i + wide), n => n === 65535 ? NaN : n / 65534 - .5));
        return { ...l, points };
      });
      let turn = -.7, lift = .4;
      function paint() {
        const width = side.clientWidth || 250, c = prepare(canvas, width, width), r = d.paths.ranges;
        const size = r.map(([a, b]) => b - a), most = Math.max(...size) || 1;
        let at;
        if (wide === 3) {
          const s = width * .62;
          at = ([p, q, w]) => {
            const a = p * Math.cos(turn) - q * Math.sin(turn), b = p * Math.sin(turn) + q * Math.cos(turn);
            return [width / 2 + a * s, width / 2 - (w * Math.cos(lift) - b * Math.sin(lift)) * s];
          };
        } else {
          const k = size.map(v => H.map ? v / most : 1), s = width - 40;
          at = ([p, q]) => [width / 2 + p * k[0] * s, width / 2 - q * k[1] * s];
        }
        const soft = colour("soft");
        c.font = `11px ${FONT}`; c.fillStyle = soft; c.strokeStyle = soft; c.textBaseline = "middle";
        if (wide === 3) {
          const zero = at([-.5, -.5, -.5]);
          [[.55, -.5, -.5], [-.5, .55, -.5], [-.5, -.5, .55]].forEach((p, k) => {
            const e = at(p);
            c.globalAlpha = .5; c.beginPath(); c.moveTo(...zero); c.lineTo(...e); c.stroke(); c.globalAlpha = 1;
            const name = clip(c, H.axes[k], 80), half = c.measureText(name).width / 2 + 4;
            c.textAlign = "center"; c.fillText(name, Math.min(Math.max(e[0], half), width - half), Math.min(Math.max(e[1] - 7, 8), width - 8));
          });
        } else {
          c.textAlign = "right"; c.fillText(`${H.axes[0]} →`, width - 8, width - 10);
          c.textAlign = "left"; c.fillText(`↑ ${H.axes[1]}`, 8, 12);
          c.textAlign = "left"; c.fillText(`${num(r[0][0])} … ${num(r[0][1])}`, 8, width - 10);
        }
        for (const l of lines) {
          const ink = colour(entityColour(l.colour)), count = l.points.length;
          // Points of a map (of numbers onto numbers) do not hang together.
          c.strokeStyle = ink; c.fillStyle = ink; c.lineWidth = wide === 3 ? 1 : 1.6; c.lineJoin = "round";
          c.globalAlpha = H.map || count < 300 ? .95 : .75;
          if (scattered(l.points)) for (const p of l.points) { const [a, b] = at(p); if (a === a && b === b) c.fillRect(a - .6, b - .6, 1.4, 1.4); }
          else {
            let down = false;
            c.beginPath();
            for (const p of l.points) { const [a, b] = at(p); if (a !== a || b !== b) down = false; else if (down) c.lineTo(a, b); else { c.moveTo(a, b); down = true; } }
            c.stroke();
          }
          c.globalAlpha = 1;
          const first = l.points.find(p => p.every(v => v === v));
          if (first) { const [a, b] = at(first); c.beginPath(); c.arc(a, b, 3.4, 0, 7); c.fillStyle = colour("panel"); c.fill(); c.lineWidth = 2; c.stroke(); }
        }
      }
      // Whether steps are long against the whole: rows are no curve.
      function scattered(points) {
        let sum = 0, n = 0;
        for (let i = 1; i < points.length; i++) { const s = Math.hypot(...points[i].map((v, k) => v - points[i - 1][k])); if (s === s) { sum += s; n += 1; } }
        return n > 30 && sum / n > .22;
      }
      paint();
      side.paint = paint;
      if (wide === 3) {
        let from = null;
        canvas.style.cursor = "grab";
        canvas.onpointerdown = e => { from = [e.clientX, e.clientY, turn, lift]; canvas.setPointerCapture(e.pointerId); };
        canvas.onpointerup = () => { from = null; };
        canvas.onpointermove = e => { if (from) { turn = from[2] + (e.clientX - from[0]) / 90; lift = Math.max(-1.5, Math.min(1.5, from[3] + (e.clientY - from[1]) / 90)); paint(); } };
      }
      const legend = add(side, el("div", "legend")).lastChild, seen = new Set();
      for (const l of lines) {
        if (seen.has(l.name) || seen.size > 7) continue;
        seen.add(l.name);
        const i = el("i");
        i.style.background = `var(--${entityColour(l.colour)})`;
        add(legend, add(el("span"), i, l.name));
      }
      add(side, el("div", "dim", H.map ? `${H.axes.join(" and ")} of positions; a ring is the start`
        : wide === 3 ? "state against state; drag to turn" : "state against state; a ring is the start"));
      side.lastChild.style.fontSize = "12px";
    }
    function repaint() {
      colours = {};
      for (const e of document.querySelectorAll(".time, .side")) if (e.paint) e.paint();
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    choose();
    const foot = add(main, el("footer")).lastChild;
    add(foot, el("div", "", `trajpack ${H.version}. Curves show the smallest and the largest value of each stretch of time`
      + (H.more ? `; ${some(H.more, "channel")} more that vary are not drawn` : "")
      + (H.keyframes ? "; pictures are keyframes near evenly spread places" : "")
      + (H.moreValues ? `; ${some(H.moreValues, "value")} more of recordings are not listed` : "") + "."));

    """#
}
