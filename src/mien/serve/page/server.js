// Talking to the server: plain requests, and one WebSocket for live pictures.
import { say } from "./words.js";

const inHash = new URLSearchParams(location.hash.slice(1));
let token = inHash.get("token") ?? ""; // after the #, so that no server and no log ever sees it

export const setToken = (text) => {
  token = text;
};
export const tokenHash = () => (token ? `#token=${encodeURIComponent(token)}` : "");
export const root = new URL("../", import.meta.url);

const withToken = (path, values = {}) => {
  const url = new URL(path, root);
  for (const [name, value] of Object.entries({ ...values, ...(token ? { token } : {}) })) url.searchParams.set(name, value);
  return url;
};
// For <img>, which cannot send a header.
export const streamAddress = (path, values) => withToken(path, values).href;

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export async function ask(path, { values = {}, ...options } = {}) {
  const url = new URL(path, root);
  for (const [name, value] of Object.entries(values)) url.searchParams.set(name, value);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(url, { ...options, headers: { ...headers, ...options.headers } }).catch((error) => {
    throw error.name === "AbortError" ? error : new Refused(0, say("link.none"));
  });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, problem.detail ?? `${answer.status} ${answer.statusText}`);
}

// One live connection. It connects again by itself; at most two pictures are under way, so answers stay fresh.
export class Live {
  constructor(tasks, language, { onAnswer, onState }) {
    this.tasks = tasks;
    this.language = language;
    this.onAnswer = onAnswer;
    this.onState = onState;
    this.underWay = 0;
    this.waitMs = 250;
    this.open();
  }

  open() {
    const url = withToken("v1/live", { task: this.tasks.join(","), steady: "true", language: this.language });
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(url);
    this.socket.onopen = () => {
      this.waitMs = 250;
      this.underWay = 0;
      if (this.baselineS) this.tell({ baseline_s: this.baselineS });
      this.onState("");
    };
    this.socket.onmessage = (event) => {
      if (this.closed) return;
      const answer = JSON.parse(event.data);
      if ("frame" in answer) this.underWay = Math.max(0, this.underWay - 1 - answer.skipped);
      this.onAnswer(answer);
    };
    this.socket.onclose = (event) => {
      if (this.closed) return;
      this.onState(event.code === 1013 ? "link.busy" : "link.lost");
      this.timer = setTimeout(() => this.open(), this.waitMs);
      this.waitMs = Math.min(5000, 2 * this.waitMs);
    };
  }

  get ready() {
    return this.socket.readyState === WebSocket.OPEN && this.underWay < 2 && this.socket.bufferedAmount === 0;
  }

  tell(what) {
    if (what.tasks) this.tasks = what.tasks;
    if (what.baseline_s) this.baselineS = what.baseline_s;
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(what));
  }

  send(picture) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.underWay += 1;
    this.socket.send(picture);
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    if (this.socket.readyState === WebSocket.CONNECTING) this.socket.onopen = () => this.socket.close();
    else this.socket.close();
  }
}

// The events of a text/event-stream, read with fetch because EventSource cannot send the token.
export async function follow(path, values, onEvent, signal) {
  const answer = await ask(path, { values, signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const lines = Object.fromEntries(part.split("\n").map((line) => line.split(/: (.*)/s, 2)));
      if (lines.event) onEvent(lines.event, JSON.parse(lines.data));
    }
  }
}
