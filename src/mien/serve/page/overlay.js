// Boxes, plates and hand skeletons over the picture, as SVG in the pixels of the picture.
import { placeOf } from "./places.js";
import { say } from "./words.js";

const NS = "http://www.w3.org/2000/svg";
const FINGERS = [[0, 1, 2, 3, 4], [0, 5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16], [0, 17, 18, 19, 20], [5, 9, 13, 17]];
const UNREAD = "#dddddd";

const make = (name, attributes, parent) => {
  const one = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  parent?.append(one);
  return one;
};

// Dark or light text, whichever has more contrast on a colour.
export function inkOn(colour) {
  const [r, g, b] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((v) => (v <= 0.04 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#14161a" : "#ffffff";
}

// What a face or hand is said to show: by its grade where the record has one.
export function plate(task, one, labels) {
  if (!one.label) return "";
  const word = (name) => labels.get(name)?.word ?? name;
  const second = Object.entries(one.scores).filter(([name]) => name !== one.label).sort((a, b) => b[1] - a[1])[0]?.[0];
  const grade = one.grade ?? (one.uncertain ? "uncertain" : "sure");
  const said = labels.get(one.label)?.[grade] ?? word(one.label);
  const values = { word: said, second: word(second), percent: Math.round(100 * one.confidence) };
  return say(`plate.${task}.${grade}`, values);
}

export class Overlay {
  // notice: an element that lies over the picture; plates keep off it.
  constructor(svg, labels, notice) {
    this.svg = svg;
    this.notice = notice;
    this.labels = labels; // by task: Map of name to {word, colour}
    this.places = new Map(); // of the plates in the last frame, by task and track
  }

  clear() {
    this.svg.replaceChildren();
    this.svg.setAttribute("data-faces", 0);
    this.svg.setAttribute("data-hands", 0);
  }

  // record: as from the server; mirrored: the picture is shown as in a mirror.
  draw(record, mirrored) {
    const [height, width] = record.size;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const shown = this.svg.getBoundingClientRect();
    const unit = 1 / Math.max(0.01, Math.min(shown.width / width, shown.height / height)); // one pixel of the screen
    this.shownWidth = shown.width;
    const x = mirrored ? (value) => width - value : (value) => value;
    const group = make("g", {});
    const marks = [
      ...record.faces.map((face, i) => ["emotion", face, record.steady?.faces[i] ?? face]),
      ...record.hands.map((hand, i) => ["gesture", hand, record.steady?.hands[i] ?? hand]),
    ].map(([task, one, steady]) => ({ task, one, box: this.mark(group, task, one, steady, x, unit), steady }));
    for (const { task, one, steady } of marks) {
      if (task === "gesture") this.skeleton(group, steady.landmarks, this.colour(task, one), x, unit);
    }
    this.plates(group, marks, { width, height }, unit, this.underNotice(shown, { width, height }, unit));
    this.svg.replaceChildren(group);
    this.svg.setAttribute("data-faces", record.faces.length);
    this.svg.setAttribute("data-hands", record.hands.length);
  }

  colour(task, one) {
    return this.labels.get(task)?.get(one.label)?.colour ?? UNREAD;
  }

  // Draws a box; returns it.
  mark(group, task, one, steady, x, unit) {
    const [x1, y1, x2, y2] = steady.box;
    const box = { x: Math.min(x(x1), x(x2)), y: y1, width: x2 - x1, height: y2 - y1 };
    const shape = { ...box, rx: 12 * unit, fill: "none" };
    const doubt = one.grade ? one.grade !== "sure" : one.uncertain;
    make("rect", { ...shape, stroke: "#14161a", "stroke-width": (doubt ? 4.5 : 7) * unit, "stroke-opacity": 0.5 }, group);
    const dashes = doubt ? { "stroke-dasharray": `${9 * unit} ${7 * unit}` } : {};
    const line = { stroke: this.colour(task, one), "stroke-width": (doubt ? 3 : 4.5) * unit, class: "box", ...dashes };
    make("rect", { ...shape, ...line }, group);
    return box;
  }

  // Plates after all boxes: each keeps off the faces, hands and plates of the others.
  plates(group, marks, room, unit, reserved) {
    const size = (this.shownWidth >= 560 ? 17 : marks.length < 4 ? 14 : 11) * unit;
    const placed = [];
    const places = new Map();
    marks.forEach(({ task, one, box }, number) => {
      const text = plate(task, one, this.labels.get(task) ?? new Map());
      if (!text) return;
      const colour = this.colour(task, one);
      const label = make("text", { "font-size": size, fill: inkOn(colour), class: "plate" });
      label.textContent = text;
      this.svg.append(label);
      const whole = { width: label.getComputedTextLength() + 1.2 * size, height: 1.7 * size };
      const others = marks
        .filter((_, at) => at !== number)
        .map((other) => ({ ...other.box, weight: other.task === "emotion" ? 2 : 0.5 }));
      const key = `${task} ${one.track ?? number}`;
      const taken = [...others, ...reserved, ...placed.map((other) => ({ ...other, weight: 3 }))];
      const place = placeOf(box, whole, room, 6 * unit, taken, this.places.get(key));
      places.set(key, place.at);
      placed.push({ ...whole, x: place.x, y: place.y });
      const back = { x: place.x, y: place.y, ...whole, rx: 7 * unit, fill: colour, class: "back" };
      make("rect", back, group);
      label.setAttribute("x", place.x + 0.6 * size);
      label.setAttribute("y", place.y + 0.72 * whole.height);
      group.append(label);
    });
    this.places = places;
  }

  // Where the notice lies, in the pixels of the picture.
  underNotice(shown, room, unit) {
    const over = this.notice.getBoundingClientRect();
    if (!over.width) return [];
    const [left, top] = [(shown.width - room.width / unit) / 2, (shown.height - room.height / unit) / 2];
    const [x, y] = [(over.left - shown.left - left) * unit, (over.top - shown.top - top) * unit];
    return [{ x, y, width: over.width * unit, height: over.height * unit, weight: 3 }];
  }

  skeleton(group, points, colour, x, unit) {
    for (const finger of FINGERS) {
      const line = finger.map((i) => `${x(points[i][0])},${points[i][1]}`).join(" ");
      const shape = { points: line, fill: "none", "stroke-linecap": "round", "stroke-linejoin": "round" };
      make("polyline", { ...shape, stroke: "#14161a", "stroke-width": 6 * unit, "stroke-opacity": 0.5 }, group);
      make("polyline", { ...shape, stroke: colour, "stroke-width": 3.5 * unit }, group);
    }
    for (const [px, py] of points) {
      make("circle", { cx: x(px), cy: py, r: 3.4 * unit, fill: "#fff", stroke: "#14161a", "stroke-width": unit }, group);
    }
  }
}
