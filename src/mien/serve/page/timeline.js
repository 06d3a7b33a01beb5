// The last minute: what the nearest face and hand showed, second by second.
import { inkOn } from "./overlay.js";
import { nearest } from "./panel.js";
import { say } from "./words.js";

const SPAN_S = 60;
const GAP_S = 0.7;
const DRAW_MS = 200;
const TELL_MS = 5000;

export class Timeline {
  constructor(canvas, labels) {
    this.canvas = canvas;
    this.labels = labels;
    this.clear();
  }

  clear() {
    this.runs = { emotion: [], gesture: [] }; // {label, from, to, doubt}
    this.now = 0;
    this.drawn = this.told = -Infinity;
    this.tell();
    this.draw(["emotion", "gesture"]);
  }

  add(record, tasks) {
    if (record.time_s < this.now) this.clear();
    this.now = record.time_s;
    for (const task of tasks) {
      const one = nearest(task === "emotion" ? record.faces : record.hands);
      const runs = this.runs[task];
      const last = runs.at(-1);
      if (one?.label) {
        if (last && last.label === one.label && last.doubt === one.uncertain && this.now - last.to < GAP_S) last.to = this.now;
        else {
          if (last && this.now - last.to < GAP_S) last.to = this.now;
          runs.push({ label: one.label, doubt: one.uncertain, from: this.now, to: this.now });
        }
      }
      while (runs.length && runs[0].to < this.now - SPAN_S) runs.shift();
    }
    const ms = performance.now();
    if (ms - this.drawn > DRAW_MS) {
      this.drawn = ms;
      this.draw(tasks);
    }
    if (ms - this.told > TELL_MS) {
      this.told = ms;
      this.tell();
    }
  }

  // The same in words, for those who cannot see it.
  tell() {
    const seconds = new Map();
    for (const [task, runs] of Object.entries(this.runs)) {
      for (const run of runs) {
        if (run.doubt) continue;
        const word = this.labels.get(task)?.get(run.label)?.word ?? run.label;
        seconds.set(word, (seconds.get(word) ?? 0) + run.to - Math.max(run.from, this.now - SPAN_S));
      }
    }
    const parts = [...seconds].filter(([, s]) => s >= 0.5).sort((a, b) => b[1] - a[1]);
    const text = parts.map(([word, s]) => say("timeline.part", { word, seconds: Math.round(s) || 1 })).join(say("join.items"));
    this.canvas.setAttribute("aria-label", text ? say("timeline.text", { parts: text }) : say("timeline.empty"));
  }

  draw(tasks) {
    const style = getComputedStyle(this.canvas);
    const scale = devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    if (!width) return;
    if (this.canvas.width !== Math.round(width * scale)) this.canvas.width = Math.round(width * scale);
    if (this.canvas.height !== Math.round(height * scale)) this.canvas.height = Math.round(height * scale);
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const muted = style.getPropertyValue("--muted");
    const lane = (height - 18) / tasks.length;
    const x = (time) => width * (1 - (this.now - time) / SPAN_S);
    pen.font = "12px system-ui, sans-serif";
    tasks.forEach((task, i) => {
      const top = i * lane;
      pen.fillStyle = style.getPropertyValue("--track");
      pen.beginPath();
      pen.roundRect(0, top, width, lane - 5, 6);
      pen.fill();
      pen.save();
      pen.clip();
      for (const run of this.runs[task]) {
        const known = this.labels.get(task)?.get(run.label);
        const [left, right] = [Math.max(0, x(run.from)), Math.max(0, x(run.to))];
        const long = Math.max(1, right - left);
        pen.globalAlpha = run.doubt ? 0.28 : 1;
        pen.fillStyle = known?.colour ?? muted;
        pen.fillRect(left, top, long, lane - 5);
        const word = known?.word ?? run.label;
        if (!run.doubt && pen.measureText(word).width + 12 < long) {
          pen.fillStyle = inkOn(known?.colour ?? "#dddddd");
          pen.fillText(word, left + 6, top + (lane - 5) / 2 + 4);
        }
      }
      pen.restore();
    });
    pen.globalAlpha = 1;
    pen.fillStyle = muted;
    pen.textAlign = "left";
    pen.fillText(say("timeline.minute"), 0, height - 3);
    pen.textAlign = "right";
    pen.fillText(say("timeline.now"), width, height - 3);
    pen.textAlign = "left";
  }
}
