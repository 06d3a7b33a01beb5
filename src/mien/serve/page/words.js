// The texts of the page: one file per language, chosen by ?lang= or by the browser's languages.
let words = {};
export let language = "en";
export let languages = ["en"];

const json = async (path) => (await fetch(path)).json();

export async function loadWords(asked) {
  const base = new URL("words/", import.meta.url);
  languages = await json(new URL("languages.json", base));
  const wanted = [asked, ...navigator.languages].filter(Boolean).map((tag) => tag.toLowerCase());
  const known = (tag) => languages.find((one) => one.toLowerCase() === tag || one === tag.split("-")[0]);
  language = wanted.map(known).find(Boolean) ?? "en";
  words = await json(new URL(`${language}.json`, base));
  if (language !== "en") words = { ...(await json(new URL("en.json", base))), ...words };
  document.documentElement.lang = language;
}

// A text with its {placeholders} filled in.
export const say = (key, values = {}) =>
  (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));

// Fills every element that names its text.
export function fillWords(root = document) {
  for (const one of root.querySelectorAll("[data-t]")) one.textContent = say(one.dataset.t);
  for (const one of root.querySelectorAll("[data-t-label]")) one.setAttribute("aria-label", say(one.dataset.tLabel));
}

export const ofLanguage = async (tag) => (await json(new URL(`words/${tag}.json`, import.meta.url))).language ?? tag;
