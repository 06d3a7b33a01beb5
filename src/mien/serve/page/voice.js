// The browser's own voice, only where it runs on this machine; elsewhere captions alone.
import { say } from "./words.js";

export class Voice {
  // button: mutes, and says so where there is no voice.
  constructor(select, button, language) {
    this.select = select;
    this.button = button;
    this.language = language;
    this.muted = false;
    this.fill();
    if ("speechSynthesis" in window) speechSynthesis.addEventListener("voiceschanged", () => this.fill());
  }

  get voices() {
    if (!("speechSynthesis" in window)) return [];
    const main = this.language.split("-")[0].toLowerCase();
    const local = speechSynthesis.getVoices().filter((voice) => voice.localService); // others send the text away
    return local.filter((voice) => voice.lang.toLowerCase().split(/[-_]/)[0] === main);
  }

  fill() {
    const before = this.select.value;
    const options = this.voices.map((voice) => new Option(voice.name, voice.voiceURI));
    if (!options.length) options.push(new Option(say("voice.none"), ""));
    this.select.replaceChildren(...options);
    if (options.some((option) => option.value === before)) this.select.value = before;
    this.select.disabled = this.button.disabled = !options[0].value;
    this.button.textContent = say(!options[0].value ? "voice.absent" : this.muted ? "voice.unmute" : "voice.mute");
    this.button.setAttribute("aria-pressed", String(this.muted));
  }

  speak(text) {
    const voice = this.voices.find((one) => one.voiceURI === this.select.value);
    if (this.muted || !voice || speechSynthesis.speaking) return;
    const sentence = new SpeechSynthesisUtterance(text);
    sentence.voice = voice;
    sentence.lang = voice.lang;
    speechSynthesis.speak(sentence);
  }

  set mute(value) {
    this.muted = value;
    this.fill();
    if (value && "speechSynthesis" in window) speechSynthesis.cancel();
  }
}
