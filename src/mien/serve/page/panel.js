// Bars of confidence for the nearest face and hand: the labels, words and colours are the server's.
import { say } from "./words.js";

const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);

// The face or hand that the bars and the time line are about: the largest.
export const nearest = (seen) => seen.reduce((best, one) => (best && area(best.box) >= area(one.box) ? best : one), null);

export class Panel {
  constructor(root, tasks) {
    this.rows = new Map();
    this.heads = new Map();
    root.replaceChildren();
    for (const [task, { labels }] of Object.entries(tasks)) {
      const section = document.createElement("section");
      section.dataset.task = task;
      const head = document.createElement("h2");
      const title = document.createElement("span");
      title.textContent = say(`task.${task}`);
      const count = document.createElement("small");
      head.append(title, " ", count);
      const list = document.createElement("ul");
      for (const { name, word, colour } of labels) list.append(this.row(task, name, word, colour));
      section.append(head, list);
      root.append(section);
      this.heads.set(task, { section, count });
    }
  }

  row(task, name, word, colour) {
    const row = document.createElement("li");
    row.dataset.label = name;
    const text = document.createElement("span");
    text.className = "word";
    text.textContent = word;
    const track = document.createElement("span");
    track.className = "track";
    const fill = document.createElement("span");
    fill.className = "fill";
    fill.style.background = colour;
    track.append(fill);
    const share = document.createElement("span");
    share.className = "share";
    row.append(text, track, share);
    this.rows.set(`${task} ${name}`, { row, fill, share });
    return row;
  }

  show(record, asked) {
    for (const [task, { section, count }] of this.heads) {
      section.hidden = !asked.includes(task);
      const seen = task === "emotion" ? record.faces : record.hands;
      const one = nearest(seen);
      const noun = task === "emotion" ? "face" : "hand";
      count.textContent = !seen.length ? say(`seen.no_${task}`) : seen.length > 1 ? say(`seen.${noun}s`, { n: seen.length }) : "";
      for (const [key, { row, fill, share }] of this.rows) {
        if (!key.startsWith(`${task} `)) continue;
        const name = key.slice(task.length + 1);
        const value = one?.scores?.[name];
        fill.style.transform = `scaleX(${value ?? 0})`;
        share.textContent = value === undefined ? "" : say("percent", { share: Math.round(100 * value) });
        const chosen = one?.label === name;
        row.classList.toggle("chosen", chosen && !one.uncertain);
        row.classList.toggle("maybe", chosen && one.uncertain);
        if (chosen) row.setAttribute("aria-current", "true");
        else row.removeAttribute("aria-current");
      }
    }
  }

  clear(asked) {
    this.show({ faces: [], hands: [] }, asked);
    for (const { count } of this.heads.values()) count.textContent = "";
  }
}
