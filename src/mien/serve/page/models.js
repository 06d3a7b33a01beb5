// The models of the package and their cards.
import { ask, tokenHash } from "./server.js";
import { renderMarkdown } from "./markdown.js";
import { fillWords, loadWords, say } from "./words.js";

const asked = new URLSearchParams(location.search);
const get = (id) => document.getElementById(id);

async function show(name) {
  for (const link of get("list").querySelectorAll("a")) {
    if (link.dataset.name === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    const { card } = await (await ask(`v1/models/${encodeURIComponent(name)}`)).json();
    renderMarkdown(card, get("card"));
  } catch (error) {
    get("card").textContent = say("models.failed", { why: error.message });
  }
  document.title = `mien: ${name}`;
}

async function start() {
  await loadWords(asked.get("lang"));
  fillWords();
  const rest = new URLSearchParams(asked);
  rest.delete("model");
  get("back").href = `../${rest.size ? `?${rest}` : ""}${tokenHash()}`;
  const { models, tasks } = await (await ask("v1/models")).json();
  const answering = Object.values(tasks).map(({ model }) => model);
  models.sort((a, b) => answering.includes(b.name) - answering.includes(a.name));
  for (const model of models) {
    const link = document.createElement("a");
    link.dataset.name = model.name;
    link.href = `?model=${encodeURIComponent(model.name)}${tokenHash()}`;
    const title = document.createElement("b");
    title.textContent = `${model.name} ${model.version}`;
    const more = document.createElement("small");
    const size = say("models.size", { megabytes: model.megabytes });
    more.textContent = [say(`models.task.${model.task}`), size, answering.includes(model.name) && say("models.answers")].filter(Boolean).join(" · ");
    link.append(title, more);
    link.addEventListener("click", (event) => {
      event.preventDefault();
      history.pushState(null, "", link.href);
      show(model.name).then(() => get("card").focus());
    });
    get("list").append(link);
  }
  const wanted = () => new URLSearchParams(location.search).get("model") ?? models[0].name;
  addEventListener("popstate", () => show(wanted()));
  await show(wanted());
}

start().catch((error) => (get("card").textContent = error.message));
