// The page: what the buttons and keys do, and what is shown when an answer comes.
import { Overlay, plate } from "./overlay.js";
import { Panel } from "./panel.js";
import { Records } from "./records.js";
import { Live, Refused, ask, follow, root, setToken, streamAddress, tokenHash } from "./server.js";
import { Frames } from "./sources.js";
import { Timeline } from "./timeline.js";
import { Voice } from "./voice.js";
import { fillWords, graded, language, languages, loadWords, ofLanguage, say } from "./words.js";

const asked = new URLSearchParams(location.search);
const kiosk = asked.has("kiosk");
const get = (id) => document.getElementById(id);
const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
const KEYS = ["c", "o", "p", "n", "m", "e", "g", "b", "d", "h"];
const RATE_MS = 2000;
const MESSAGE_MS = 8000;
const NOTICE_MS = 7000;
const AGAIN_MS = 5000;
const COPIED_MS = 2000;
const PHOTOS = /\.(jpe?g|png|webp|heic|heif|hif|avif|tiff?|jp2|ppm|gif|bmp)$/i; // of which browsers do not know all
const VIDEOS = /\.(mp4|m4v|mov|qt|mkv|webm|avi|mpe?g|vob|m?ts|m2ts|flv|wmv|asf|ogv|3gp|3g2)$/i;

let about; // what the server can answer
let overlay, panel, timeline, voice, live, frames;
let tasks = ["emotion", "gesture"];
let state = "idle"; // idle, camera, video, photo, watch
let turn = 0; // counts what was begun: whoever comes back from waiting and finds another number was overtaken
let watching = null; // ends the events of the server's camera
let frozen = false;
let photoUrl = "";
let unlearned = null; // tracks whose neutral face is not known yet; null while nobody has asked for that
const records = new Records();
const arrivals = [];

const setState = (next) => {
  state = next;
  document.body.dataset.state = next;
  const busy = next === "camera" || next === "video";
  get("video").hidden = !busy;
  get("photo").hidden = next !== "photo" && next !== "watch";
  get("welcome").hidden = next !== "idle" || kiosk;
  get("pause-button").disabled = !busy;
  get("baseline-button").disabled = !busy || !about?.baseline_s;
  get("camera-button").textContent = say(next === "camera" ? "camera.stop" : "camera.start");
  get("notice").hidden = next === "idle";
  get("video").classList.toggle("mirrored", next === "camera");
};

let messageTimer;
const tell = (text, { stays = false } = {}) => {
  clearTimeout(messageTimer);
  get("message").textContent = text;
  if (text && !stays) messageTimer = setTimeout(() => tell(""), MESSAGE_MS);
};
// What happens to the picture: in full for a while, then the light alone.
let noticeTimer;
const notice = (text) => {
  clearTimeout(noticeTimer);
  get("notice-text").textContent = text;
  get("notice").classList.remove("brief");
  noticeTimer = setTimeout(() => get("notice").classList.add("brief"), NOTICE_MS);
};
const caption = (text) => {
  if (get("caption").textContent === text) return;
  get("caption").textContent = text;
  fitCaption();
};
// No wider than its longest line.
function fitCaption() {
  const box = get("caption");
  box.style.width = "";
  const lines = document.createRange();
  lines.selectNodeContents(box);
  const { paddingLeft, paddingRight } = getComputedStyle(box);
  box.style.width = `${Math.ceil(lines.getBoundingClientRect().width + parseFloat(paddingLeft) + parseFloat(paddingRight)) + 1}px`;
}

function countRecords() {
  const count = records.lines.length;
  const button = get("save-button");
  button.disabled = !count;
  button.textContent = count ? say("records.save", { n: count, count: count.toLocaleString(language) }) : say("records.none");
  if (records.becameFull) tell(say("records.full", { most: Records.most.toLocaleString(language) }));
}

function rates(latency) {
  const now = performance.now();
  arrivals.push(now);
  while (arrivals.length && now - arrivals[0] > RATE_MS) arrivals.shift();
  const seconds = (now - arrivals[0]) / 1000;
  get("fps").textContent = arrivals.length > 1 ? Math.round((arrivals.length - 1) / seconds) : "–";
  get("delay").textContent = latency ? Math.round(latency.total) : "–";
}

// An answer of the live connection.
function answered(answer) {
  if (state !== "camera" && state !== "video") return;
  if (answer.problem) return tell(answer.problem.detail);
  records.add(answer);
  rates(answer.latency_ms);
  if (!frozen) overlay.draw(answer, state === "camera");
  panel.show(answer, tasks);
  timeline.add(answer, tasks);
  caption(answer.caption);
  tellLearned(answer.faces);
  if (answer.sentence) voice.speak(answer.sentence.text);
  countRecords();
}

// From now on expressions are read as changes from each person's neutral face.
function learnBaselines() {
  if (get("baseline-button").disabled) return;
  unlearned = new Set();
  get("baseline-button").setAttribute("aria-pressed", "true");
  live.tell({ baseline_s: about.baseline_s });
  tell(say("baseline.learning", { seconds: about.baseline_s }), { stays: true });
}

function tellLearned(faces) {
  for (const { track, baseline } of unlearned ? faces : []) {
    if (!baseline) unlearned.add(track);
    // Not for an answer of before that was still on its way: there it was known already.
    else if (unlearned.delete(track)) tell(say("baseline.learned", { person: track }));
  }
}

function clear() {
  turn += 1;
  watching?.abort();
  unlearned = null;
  get("baseline-button").setAttribute("aria-pressed", "false");
  frames.stop();
  frozen = false;
  get("pause-button").setAttribute("aria-pressed", "false");
  get("pause-button").textContent = say("pause.off");
  overlay.clear();
  panel.clear(tasks);
  timeline.clear();
  caption("");
  arrivals.length = 0;
  get("fps").textContent = get("delay").textContent = "–";
  live?.close();
  live = null;
  if (photoUrl) URL.revokeObjectURL(photoUrl);
  photoUrl = "";
}

function connect() {
  live = new Live(tasks, language, { onAnswer: answered, onState: (key) => tell(key ? say(key) : "", { stays: true }) });
}

// Nothing of this browser is shown any more: the server's camera is, if there is one.
function rest() {
  clear();
  if (about.watch && !asked.has("camera")) startWatch();
  else setState("idle");
}

async function startCamera() {
  if (state === "camera") return rest();
  clear();
  const mine = turn;
  try {
    await frames.camera();
  } catch (error) {
    if (mine !== turn) return;
    const causes = { NotAllowedError: "denied", NotFoundError: "none", InsecureError: "insecure" };
    return withoutCamera(causes[error.name] ?? "busy");
  }
  if (mine !== turn) return;
  connect();
  tell("");
  notice(say(isHere ? "notice.camera.here" : "notice.camera.there", { host: location.host }));
  setState("camera");
}

// A screen that nobody attends to tries again.
function withoutCamera(why) {
  rest();
  const mine = turn;
  tell(say(`camera.${why}`), { stays: true });
  if (kiosk) setTimeout(() => mine === turn && startCamera(), AGAIN_MS);
}

async function openFiles(files) {
  for (const file of files) {
    const isVideo = file.type.startsWith("video/") || VIDEOS.test(file.name);
    const most = isVideo ? about.video_bytes : about.picture_bytes;
    if (!isVideo && !file.type.startsWith("image/") && !PHOTOS.test(file.name)) tell(say("file.unknown", { name: file.name }));
    else if (!isVideo && file.size > most) tell(say("file.large", { name: file.name, most: Math.round(most / 1e6) }), { stays: true });
    else if ((await (isVideo ? playVideo(file) : showPhoto(file))) === false) return; // something else was begun
  }
}

async function playVideo(file) {
  clear();
  const mine = turn;
  photoUrl = URL.createObjectURL(file);
  try {
    await frames.file(photoUrl);
  } catch {
    if (mine !== turn) return false;
    rest();
    return uploadVideo(file);
  }
  if (mine !== turn) return false;
  connect();
  live.name = file.name;
  tell("");
  notice(say("notice.file", { name: file.name }));
  setState("video");
}

// A video that this browser cannot play: mien looks at it as a whole, and its records are fetched.
async function uploadVideo(file) {
  if (file.size > about.video_bytes) return tell(say("file.large", { name: file.name, most: Math.round(about.video_bytes / 1e6) }), { stays: true });
  try {
    tell(say("video.upload", { name: file.name, share: 0 }), { stays: true });
    const values = { name: file.name, task: tasks.join(",") };
    const sent = await ask("v1/look/video", { values, method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
    let job = await sent.json();
    while (job.state === "waiting" || job.state === "running") {
      await new Promise((done) => setTimeout(done, 500));
      job = await (await ask(`v1/jobs/${job.id}`)).json();
      const share = job.of ? Math.round((100 * job.frames) / job.of) : 0;
      tell(say("video.upload", { name: file.name, share }), { stays: true });
    }
    if (job.problem) return tell(job.problem, { stays: true });
    const lines = (await (await ask(`v1/jobs/${job.id}/result`)).text()).split("\n").filter(Boolean);
    for (const line of lines) records.push(line);
    countRecords();
    tell(say("video.done", { name: file.name }), { stays: true });
    await ask(`v1/jobs/${job.id}`, { method: "DELETE" });
  } catch (error) {
    tell(error.message, { stays: true });
  }
}

async function showPhoto(file) {
  clear();
  const mine = turn;
  setState("photo");
  const picture = get("photo");
  notice(say("notice.file", { name: file.name }));
  photoUrl = URL.createObjectURL(file);
  picture.src = photoUrl;
  picture.alt = file.name;
  const send = (values) => ask("v1/look", { values, method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
  const values = { name: file.name, task: tasks.join(",") };
  try {
    const shown = picture.decode().then(() => true, () => false);
    const record = await (await send(values)).json();
    records.add(record);
    countRecords();
    if (mine !== turn) return false;
    panel.show(record, tasks);
    const marked = (await shown) ? null : await (await send({ ...values, annotated: true })).blob();
    if (mine !== turn) return false;
    if (marked === null) overlay.draw(record, false);
    else {
      URL.revokeObjectURL(photoUrl);
      picture.src = photoUrl = URL.createObjectURL(marked);
    }
    const what = describe(record);
    picture.alt = say("file.photo", { name: file.name, what });
    tell(picture.alt, { stays: true });
  } catch (error) {
    if (mine !== turn) return false;
    rest();
    tell(error.message, { stays: true });
  }
}

function describe(record) {
  const parts = [];
  for (const [task, seen, noun] of [["emotion", record.faces, "face"], ["gesture", record.hands, "hand"]]) {
    if (!seen.length) continue;
    const count = say(`seen.${noun}s`, { n: seen.length });
    const said = seen.slice(0, 3).map((one) => plate(task, one, overlay.labels.get(task) ?? new Map()));
    parts.push(say("photo.part", { count, words: said.join(say("join.clauses")) }));
  }
  return parts.join(say("join.clauses")) || say("seen.nothing");
}

// The camera of the server's own machine.
async function startWatch() {
  clear();
  const mine = turn;
  watching = new AbortController();
  const { signal } = watching;
  setState("watch");
  notice(say("notice.watch", { host: location.host }));
  get("photo").src = streamAddress("v1/watch.mjpg");
  const onEvent = (kind, data) => {
    if (mine !== turn) return;
    if (kind === "sentence") voice.speak(data.text);
    if (kind === "status") tell(data.message, { stays: true });
    if (kind !== "frame") return;
    records.add(data);
    rates(null);
    panel.show(data, tasks);
    timeline.add(data, tasks);
    caption(data.caption);
    countRecords();
  };
  for (;;) {
    try {
      await follow("v1/watch/events", { frames: true }, onEvent, signal);
    } catch (error) {
      if (mine !== turn) return;
      if (error instanceof Refused && ![0, 503].includes(error.status)) return tell(error.message, { stays: true });
    }
    if (mine !== turn) return;
    tell(say("link.lost"), { stays: true });
    await new Promise((done) => setTimeout(done, 2000));
    if (mine !== turn) return;
    get("photo").src = streamAddress("v1/watch.mjpg", { again: Date.now() });
  }
}

function choose(wanted) {
  tasks = wanted.filter((task) => about.tasks[task]);
  if (!tasks.length) tasks = Object.keys(about.tasks);
  for (const button of get("tasks").children) button.setAttribute("aria-pressed", String(tasks.includes(button.dataset.task)));
  live?.tell({ tasks });
  if (state === "idle" || state === "photo") panel.clear(tasks);
  timeline.draw(tasks);
}

function toggleTask(task) {
  const next = tasks.includes(task) ? tasks.filter((one) => one !== task) : [...tasks, task];
  choose(next.length ? next : [task]);
}

function toggle(button, on, keys) {
  button.setAttribute("aria-pressed", String(on));
  button.textContent = say(keys[Number(on)]);
}

const actions = {
  camera: startCamera,
  open: () => get("file").click(),
  pause: () => {
    if (state !== "camera" && state !== "video") return;
    frozen = !frozen;
    frames.pause = frozen;
    toggle(get("pause-button"), frozen, ["pause.off", "pause.on"]);
  },
  baseline: learnBaselines,
  mute: () => {
    if (!get("mute-button").disabled) voice.mute = !voice.muted;
  },
  save: () => records.lines.length && records.save(),
  copy: async () => {
    try {
      await navigator.clipboard.writeText(get("snippet").textContent);
      get("copy-button").textContent = say("embed.copied");
      setTimeout(() => (get("copy-button").textContent = say("embed.copy")), COPIED_MS);
    } catch { // only pages at localhost or over https may write there
      getSelection().selectAllChildren(get("snippet"));
    }
  },
};
const keys = {
  c: actions.camera,
  o: actions.open,
  p: actions.pause,
  n: actions.baseline,
  m: actions.mute,
  e: () => choose(["emotion"]),
  g: () => choose(["gesture"]),
  b: () => choose(["emotion", "gesture"]),
  d: actions.save,
  h: () => get("help").showModal(),
};

function listen() {
  document.addEventListener("click", (event) => {
    const one = event.target.closest("[data-do], [data-open], [data-task]");
    if (one?.dataset.do) actions[one.dataset.do]();
    else if (one?.dataset.open) get(one.dataset.open).showModal();
    else if (one?.dataset.task && one.tagName === "BUTTON") toggleTask(one.dataset.task);
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, dialog[open]");
    if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey || kiosk) return;
    keys[event.key.toLowerCase()]?.();
  });
  get("file").addEventListener("change", (event) => openFiles([...event.target.files]).then(() => (event.target.value = "")));
  get("language").addEventListener("change", (event) => {
    const url = new URL(location.href);
    url.searchParams.set("lang", event.target.value);
    location.assign(url);
  });
  let over = 0;
  const drop = (type, act) =>
    document.addEventListener(type, (event) => {
      if (kiosk || ![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
      event.preventDefault();
      act(event);
      get("drop").hidden = over <= 0;
    });
  drop("dragenter", () => (over += 1));
  drop("dragleave", () => (over -= 1));
  drop("dragover", () => {});
  drop("drop", (event) => {
    over = 0;
    openFiles([...event.dataTransfer.files]);
  });
  addEventListener("resize", () => {
    timeline.draw(tasks);
    fitCaption();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => timeline.draw(tasks));
  addEventListener("pagehide", clear);
}

function askToken() {
  return new Promise((done) => {
    get("token").showModal();
    get("token-form").addEventListener("submit", () => done(get("token-text").value), { once: true });
    get("token").addEventListener("cancel", (event) => event.preventDefault());
  });
}

async function loadAbout() {
  for (;;) {
    try {
      return await (await ask("v1/models", { values: { language } })).json();
    } catch (error) {
      if (error.status !== 401) throw error;
      setToken(await askToken());
      history.replaceState(null, "", `${location.pathname}${location.search}${tokenHash()}`);
    }
  }
}

async function start() {
  await loadWords(asked.get("lang"));
  fillWords();
  document.body.classList.toggle("kiosk", kiosk);
  document.body.classList.toggle("embed", asked.has("embed"));
  if (kiosk || asked.has("embed")) get("stage").append(get("message"));
  const here = say(isHere ? "privacy.here" : "privacy.there", { host: location.host });
  get("welcome-privacy").textContent = get("privacy-where").textContent = here;
  get("snippet").textContent = `<iframe src="${root.href}?embed" allow="camera ${location.origin}" width="960" height="640" title="mien"></iframe>`;
  get("kiosk-address").textContent = `${root.href}?kiosk`;
  get("models-link").href = `page/models.html${location.search}${tokenHash()}`;
  for (const key of KEYS) {
    const [term, what] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = key;
    what.textContent = say(`help.${key}`);
    get("keys").append(term, what);
  }
  for (const tag of languages) get("language").append(new Option(await ofLanguage(tag), tag, false, tag === language));
  about = await loadAbout();
  get("models-link").href = `page/models.html${location.search}${tokenHash()}`;
  const labels = new Map(Object.entries(about.tasks).map(([task, { labels: list }]) => [task, new Map(list.map((one) => [one.name, { ...one, ...graded(task, one) }]))]));
  overlay = new Overlay(get("overlay"), labels, get("notice"));
  panel = new Panel(get("bars"), about.tasks);
  timeline = new Timeline(get("timeline"), labels);
  voice = new Voice(get("voice"), get("mute-button"), about.language);
  frames = new Frames(get("video"), {
    ready: () => live?.ready,
    give: async (blob, time) => {
      const bytes = await blob.arrayBuffer();
      if (!live) return;
      if (state === "video") live.tell({ time_s: time, name: live.name });
      live.send(bytes);
    },
    lost: () => withoutCamera("lost"),
    ended: () => tell(say("video.ended", { name: live?.name ?? "" })),
  });
  for (const task of Object.keys(about.tasks)) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.task = task;
    button.textContent = say(`task.${task}`);
    get("tasks").append(button);
  }
  choose(asked.get("task")?.split(",") ?? Object.keys(about.tasks));
  panel.clear(tasks);
  setState("idle");
  listen();
  document.body.dataset.ready = "true";
  if (about.watch && !asked.has("camera")) startWatch();
  else if (kiosk || asked.has("camera")) startCamera();
}

start().catch((error) => tell(error.message, { stays: true }));
