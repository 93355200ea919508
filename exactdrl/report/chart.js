// The walk as a chart: choose a quantity, move along the steps by pointer, slider or arrow keys, drag to zoom.
(() => {
  "use strict";
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at("walk-data").textContent);
  const steps = data.steps, names = Object.keys(data.values);
  const plot = at("plot"), choice = at("quantity"), log = at("logarithmic"), slider = at("step"), readout = at("readout");
  const WIDTH = 720, HEIGHT = 300, LEFT = 74, RIGHT = 12, TOP = 12, BOTTOM = 36;
  let from = 0, to = steps.length - 1, begin = null, x, y, shown = [];

  const element = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    plot.append(made);
    return made;
  };
  const number = (value) => {
    if (value === null) return "none";
    return value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6) ? value.toExponential(3) : String(+value.toPrecision(6));
  };
  // At most six round numbers between two ends
  const ticks = (low, high) => {
    const raw = (high - low) / 5, base = 10 ** Math.floor(Math.log10(raw));
    const gap = [1, 2, 5, 10].map((factor) => factor * base).find((size) => size >= raw);
    const found = [];
    for (let k = Math.ceil(low / gap); k * gap <= high + gap * 1e-9; k++) found.push(+(k * gap).toPrecision(12));
    return found;
  };
  const decades = (low, high) => {
    const first = Math.ceil(low - 1e-9), last = Math.floor(high + 1e-9), gap = Math.max(1, Math.ceil((last - first) / 6));
    if (last <= first) return ticks(10 ** low, 10 ** high).filter((value) => value > 0).map((value) => [Math.log10(value), number(value)]);
    const found = [];
    for (let k = first; k <= last; k += gap) found.push([k, `1e${k}`]);
    return found;
  };

  function draw() {
    const values = data.values[choice.value], isLog = log.checked;
    plot.replaceChildren();
    plot.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    shown = [];
    for (let i = from; i <= to; i++) {
      if (values[i] !== null && (!isLog || values[i] > 0)) shown.push(i);
    }
    const heights = shown.map((i) => (isLog ? Math.log10(values[i]) : values[i]));
    let low = heights.reduce((a, b) => Math.min(a, b), Infinity), high = heights.reduce((a, b) => Math.max(a, b), -Infinity);
    if (!shown.length) [low, high] = [0, 1];
    if (high - low < 1e-12 * Math.max(1, Math.abs(high))) [low, high] = [low - 0.5, high + 0.5];
    const first = steps[from], last = Math.max(steps[to], first + 1);
    x = (step) => LEFT + ((step - first) / (last - first)) * (WIDTH - LEFT - RIGHT);
    y = (value) => HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    for (const [height, text] of isLog ? decades(low, high) : ticks(low, high).map((value) => [value, number(value)])) {
      element("line", { class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: y(height), y2: y(height) });
      element("text", { class: "tick", x: LEFT - 6, y: y(height) + 4, "text-anchor": "end" }, text);
    }
    for (const step of ticks(first, last).filter(Number.isInteger)) {
      element("text", { class: "tick", x: x(step), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, step);
    }
    element("text", { class: "tick", x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "step");
    element("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM });
    element("polyline", { class: "curve", points: shown.map((i, k) => `${x(steps[i]).toFixed(2)},${y(heights[k]).toFixed(2)}`).join(" ") });
    slider.min = from;
    slider.max = to;
    point(Math.min(Math.max(+slider.value, from), to));
  }

  function point(i) {
    slider.value = i;
    plot.querySelectorAll(".here").forEach((old) => old.remove());
    const value = data.values[choice.value][i], step = steps[i];
    element("line", { class: "here", x1: x(step), x2: x(step), y1: TOP, y2: HEIGHT - BOTTOM });
    if (value !== null && (!log.checked || value > 0)) {
      element("circle", { class: "here", cx: x(step), cy: y(log.checked ? Math.log10(value) : value), r: 4 });
    }
    const phase = step < 0 ? " (before the first vertex)" : step === 0 ? " (the first vertex)" : "";
    readout.textContent = `step ${step}${phase}: ` + names.map((name) => `${name} ${number(data.values[name][i])}`).join("; ");
    slider.setAttribute("aria-valuetext", readout.textContent);
  }

  // The place of the step nearest to a pointer
  function nearest(event) {
    const box = plot.getBoundingClientRect(), pixel = ((event.clientX - box.left) / box.width) * WIDTH;
    let best = from;
    for (let i = from; i <= to; i++) if (Math.abs(x(steps[i]) - pixel) < Math.abs(x(steps[best]) - pixel)) best = i;
    return best;
  }

  plot.addEventListener("pointerdown", (event) => { begin = nearest(event); });
  plot.addEventListener("pointermove", (event) => {
    const i = nearest(event);
    point(i);
    plot.querySelectorAll(".chosen").forEach((old) => old.remove());
    if (begin !== null && begin !== i) {
      const [a, b] = [x(steps[begin]), x(steps[i])].sort((p, q) => p - q);
      element("rect", { class: "chosen", x: a, width: b - a, y: TOP, height: HEIGHT - TOP - BOTTOM });
    }
  });
  window.addEventListener("pointerup", (event) => {
    if (begin === null) return;
    const end = nearest(event), [a, b] = [Math.min(begin, end), Math.max(begin, end)];
    begin = null;
    if (b - a > 1) [from, to] = [a, b];
    draw();
  });
  at("whole").addEventListener("click", () => { [from, to] = [0, steps.length - 1]; draw(); });
  choice.addEventListener("change", draw);
  log.addEventListener("change", draw);
  slider.addEventListener("input", () => point(+slider.value));

  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const code = button.previousElementSibling;
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "copied";
      } catch {
        // Some browsers give files no clipboard: the command is selected instead
        getSelection().selectAllChildren(code);
        button.textContent = "selected";
      }
    });
  }
  slider.max = steps.length - 1;
  slider.value = slider.max;
  at("chart").hidden = false;
  draw();
})();
