// Small charts of the last two minutes: one line or two, the newest number, and the highest.
import { el, setAttribute, setText, svg } from "./dom.js";

const kPoints = 60;
const kWidth = 240;
const kHeight = 48;
const kTop = 3; // so that the highest line is not cut

// {title, lines: [{name, field}], show: number → [number, unit]}
class Chart {
  constructor({ title, lines, show }) {
    this.title = title;
    this.lines = lines;
    this.show = show;
    this.history = lines.map(() => Array(kPoints).fill(null));
    this.values = lines.map(({ name }) => {
      const number = el("span", { class: "big" }, "–");
      const unit = el("span", { class: "unit" });
      const label = name === undefined ? [] : [el("span", { class: "line-name" }, name)];
      return { number, unit, element: el("div", { class: "value" }, ...label, number, unit) };
    });
    this.highest = el("span", { class: "highest" });
    this.paths = lines.map((line, i) => svg("path", { class: `line line-${i}`, "vector-effect": "non-scaling-stroke" }));
    this.area = svg("path", { class: "area" });
    this.picture = svg("svg", { viewBox: `0 0 ${kWidth} ${kHeight}`, preserveAspectRatio: "none", role: "img" });
    this.picture.append(this.area, ...this.paths);
    this.element = el("figure", { class: "chart" },
      el("figcaption", {}, title, this.highest),
      el("div", { class: "values" }, ...this.values.map(({ element }) => element)), this.picture);
    this.draw();
  }

  push(summary) {
    this.lines.forEach(({ field }, i) => {
      this.history[i].push(summary[field]);
      this.history[i].shift();
    });
    this.draw();
  }

  draw() {
    const highest = Math.max(0, ...this.history.flat().filter((value) => value !== null));
    const known = this.history.some((line) => line.some((value) => value !== null));
    const text = (value) => this.show(value).join(" ").trim();
    this.lines.forEach((line, i) => {
      const [number, unit] = this.show(this.history[i].at(-1));
      setText(this.values[i].number, number);
      setText(this.values[i].unit, unit);
      this.paths[i].setAttribute("d", path(this.history[i], highest));
    });
    this.area.setAttribute("d", area(this.history[0], highest));
    setText(this.highest, known ? `max ${text(highest)}` : "");
    const now = this.lines.map(({ name }, i) => `${name ?? "now"} ${text(this.history[i].at(-1))}`).join(", ");
    setAttribute(this.picture, "aria-label", `${this.title}: ${now}; at most ${text(highest)} in the last two minutes`);
  }
}

const x = (i) => ((i * kWidth) / (kPoints - 1)).toFixed(1);
const y = (value, highest) => (kHeight - 1 - (highest > 0 ? (value / highest) * (kHeight - 1 - kTop) : 0)).toFixed(1);

// A line through what is known; a gap where nothing is, and a dot where that is on both sides.
function path(values, highest) {
  return values.map((value, i) => {
    if (value === null) return "";
    const begins = i === 0 || values[i - 1] === null;
    return `${begins ? "M" : "L"}${x(i)} ${y(value, highest)}${begins ? "h0" : ""}`;
  }).join("");
}

function area(values, highest) {
  const first = values.findIndex((value) => value !== null);
  if (first < 0) return "";
  const filled = values.map((value, i) => (i < first ? "" : `L${x(i)} ${y(value ?? 0, highest)}`)).join("");
  return `M${x(first)} ${kHeight}${filled}L${kWidth} ${kHeight}Z`;
}

// Makes the charts of `specs` within `parent`; push(summary) adds a point to each.
export function makeCharts(parent, specs) {
  const charts = specs.map((spec) => new Chart(spec));
  parent.replaceChildren(...charts.map(({ element }) => element));
  return { push: (summary) => charts.forEach((chart) => chart.push(summary)) };
}
