/* The Drawing component (see drawing.py): an SVG whose [data-key] parts are chosen by mouse or keyboard.
   One Tab stop; arrows go from part to part, Enter or a click chooses, Escape undoes; + - 0 zoom. */
(function () {
  const { createElement: h, useEffect, useRef } = window.React;
  const SMALLEST_SCALE = 0.55, READABLE_SCALE = 0.7;

  const parts = (host) => [...host.querySelectorAll("[data-key]")];

  function mark(host, key) {
    const svg = host.querySelector("svg");
    if (!svg) return;
    svg.classList.toggle("has-mark", parts(host).some((part) => part.dataset.key === key));
    host.querySelectorAll("[data-for]").forEach((label) => {
      label.classList.toggle("is-marked", label.dataset.for === key);
      label.classList.toggle("is-near", !!key && label.dataset.ends.split(" ").includes(key));
    });
    parts(host).forEach((part, place) => {
      const ends = (part.dataset.ends || "").split(" ");
      part.classList.toggle("is-marked", part.dataset.key === key);
      part.classList.toggle("is-near", key.includes("→") ? key.split("→").includes(part.dataset.key) : !!key && ends.includes(key));
      part.setAttribute("aria-pressed", part.dataset.key === key);
      part.tabIndex = part.dataset.key === key || (!key && place === 0) ? 0 : -1;
    });
    if (!host.querySelector('[data-key][tabindex="0"]') && parts(host)[0]) parts(host)[0].tabIndex = 0;
  }

  function step(host, part, by) {
    const all = parts(host);
    const next = all[(all.indexOf(part) + by + all.length) % all.length];
    all.forEach((other) => (other.tabIndex = other === next ? 0 : -1));
    next.focus();
    return next;
  }

  const box = (svg) => svg.getAttribute("viewBox").split(" ").map(Number);
  const show = (svg, values) => {
    svg.setAttribute("viewBox", values.map((v) => v.toFixed(1)).join(" "));
    Object.assign(svg.parentElement.dataset, { seen: svg.getAttribute("viewBox"), level: svg.dataset.level || "" });
  };

  function fit(svg, all) {
    const [left, top, width, height] = svg.dataset.box.split(" ").map(Number);
    const room = svg.getBoundingClientRect();
    const scale = Math.min(room.width / width, room.height / height);
    if (all || scale >= SMALLEST_SCALE) return show(svg, [left, top, width, height]);
    const tall = Math.min(height, room.height / READABLE_SCALE);
    show(svg, [left, top + (height - tall) / 2, room.width / READABLE_SCALE, tall]);
  }

  /* A map whose steps have not moved is seen as it was: sliders move nothing. */
  function open(svg) {
    const { seen, level } = svg.parentElement.dataset;
    if (seen && level === svg.dataset.level) show(svg, seen.split(" ").map(Number));
    else fit(svg);
  }

  /* What is chosen comes into view: the map is moved no more than that. */
  function reveal(svg, key) {
    const part = svg && parts(svg).find((one) => one.dataset.key === key);
    if (!part) return;
    const [x, y, width, height] = box(svg);
    const seen = part.getBBox();
    const inside = seen.x >= x && seen.x + seen.width <= x + width;
    if (!inside && seen.width < width) show(svg, [seen.x + seen.width / 2 - width / 2, y, width, height]);
  }

  function zoom(svg, factor, atX, atY) {
    const [x, y, width, height] = box(svg);
    const [cx, cy] = [x + width * (atX ?? 0.5), y + height * (atY ?? 0.5)];
    show(svg, [cx + (x - cx) * factor, cy + (y - cy) * factor, width * factor, height * factor]);
  }

  function pan(svg, event) {
    const [x, y, width, height] = box(svg);
    const scale = Math.max(width / svg.clientWidth, height / svg.clientHeight);
    const move = (e) => show(svg, [x + (event.clientX - e.clientX) * scale, y + (event.clientY - e.clientY) * scale, width, height]);
    const stop = () => (removeEventListener("pointermove", move), removeEventListener("pointerup", stop));
    addEventListener("pointermove", move);
    addEventListener("pointerup", stop);
  }

  function Drawing({ id, svg, marked, caption, zoomable, words, className, setProps }) {
    const host = useRef(null);
    const now = () => host.current.querySelector("svg");
    const timer = useRef(0);
    const keyOf = (part) => part && (part.dataset.key || part.dataset.for);
    const choose = (part) => setProps({ chosen: part && keyOf(part) !== marked ? keyOf(part) : "" });
    useEffect(() => { if (zoomable && now()) open(now()); }, [svg]);
    useEffect(() => { mark(host.current, marked || ""); if (zoomable) reveal(now(), marked); }, [svg, marked]);
    const onKeyDown = (event) => {
      const part = event.target.closest("[data-key]");
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const factor = zoomable && { "+": 0.8, "-": 1.25 }[event.key];
      if (part && by) {
        const next = step(host.current, part, by);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => setProps({ chosen: next.dataset.key }), 250);
      }
      else if (part && (event.key === "Enter" || event.key === " ")) choose(part);
      else if (event.key === "Escape") choose(null);
      else if (factor) zoom(now(), factor);
      else if (zoomable && event.key === "0") fit(now(), true);
      else return;
      event.preventDefault();
    };
    const handlers = {
      onKeyDown,
      onClick: (event) => { const part = event.target.closest("[data-key], [data-for]"); if (part) choose(part); },
      onPointerDown: (event) => { if (zoomable && !event.target.closest("[data-key], [data-for]")) pan(now(), event); },
      onWheel: (event) => { if (zoomable && event.ctrlKey) zoom(now(), event.deltaY > 0 ? 1.15 : 0.87); },
    };
    const button = (name, sign, act) => h("button", { key: name, type: "button", "aria-label": words[name], title: words[name], onClick: act }, sign);
    const tools = zoomable && h("div", { className: "drawing-tools" }, [
      h("span", { key: "caption" }, caption), button("in", "+", () => zoom(now(), 0.8)), button("out", "−", () => zoom(now(), 1.25)), button("fit", "⤢", () => fit(now(), true)),
    ]);
    const canvas = h("div", { ref: host, className: "drawing-canvas", dangerouslySetInnerHTML: { __html: svg || "" }, ...handlers });
    return h("div", { id, className: "drawing " + (className || "") }, tools, canvas);
  }

  window.care_pathways = { Drawing };
  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    page: {
      remember: (...values) => {
        const query = new URLSearchParams();
        const names = window.dash_clientside.callback_context.inputs_list.map((input) => input.id.split(":")[1]);
        names.forEach((name, place) => { if (values[place] !== null && values[place] !== "") query.set(name, values[place]); });
        history.replaceState(history.state, "", "?" + query);
        return window.dash_clientside.no_update;
      },
      speak: (language) => {
        if (!language || language === document.documentElement.lang) return window.dash_clientside.no_update;
        document.cookie = "language=" + language + "; path=/; max-age=31536000; samesite=strict";
        location.reload();
        return window.dash_clientside.no_update;
      },
    },
  });
})();
