// The texts of the page: one file per language, chosen by ?lang= or by the browser's languages.
let words = {};
export let language = "en";
export let languages = ["en"];

const json = async (path) => (await fetch(path)).json();

export async function loadWords(asked) {
  const base = new URL("words/", import.meta.url);
  languages = await json(new URL("languages.json", base));
  const wanted = [asked, ...navigator.languages].filter(Boolean).map((tag) => tag.toLowerCase());
  const known = (tag) => languages.find((one) => one.toLowerCase() === tag || one === tag.split(/[-_]/)[0]);
  language = wanted.map(known).find(Boolean) ?? "en";
  words = await json(new URL(`${language}.json`, base));
  document.documentElement.lang = language;
}

// A text with its {placeholders} filled in; of a text with plurals the form that n asks for.
export function say(key, values = {}) {
  const text = words[key] ?? key;
  const form = typeof text === "string" ? text : text[new Intl.PluralRules(language).select(values.n)] ?? text.other;
  return form.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

// What a label is said with where an answer is sure, or perhaps right; words of the server's own replace it everywhere.
export function graded(task, { name, word }) {
  const text = words[`${task}.${name}`];
  return text?.word === word ? { sure: text.sure ?? word, perhaps: text.perhaps ?? word } : { sure: word, perhaps: word };
}

// Fills every element that names its text.
export function fillWords(root = document) {
  for (const one of root.querySelectorAll("[data-t]")) one.textContent = say(one.dataset.t);
  for (const one of root.querySelectorAll("[data-t-label]")) one.setAttribute("aria-label", say(one.dataset.tLabel));
}

export const ofLanguage = async (tag) => (await json(new URL(`words/${tag}.json`, import.meta.url))).name ?? tag;
