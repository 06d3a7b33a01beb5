"""What runs pyttsx3, the voices of Windows and macOS, in a process of its own: see `mien.voice.engines`."""

from __future__ import annotations

_VOICES = """
import re
import sys
import pyttsx3
engine = pyttsx3.init()

def named(voice):
    return " ".join(filter(None, (str(getattr(voice, "name", "") or ""), str(voice.id))))

def tags(voice):
    found = [tag.decode("ascii", "ignore") if isinstance(tag, bytes) else str(tag) for tag in voice.languages or ()]
    # Windows tells languages only in identifiers, as TTS_MS_ZH-CN_HUIHUI.
    found += re.findall("(?<![a-zA-Z])[a-zA-Z]{2,3}-[a-zA-Z]{2,4}(?![a-zA-Z])", str(voice.id))
    return [tag.strip("\\x05").lower().replace("_", "-") for tag in found]
"""

LIST = f"""{_VOICES}
for voice in engine.getProperty("voices"):
    print((tags(voice) or ["-"])[0], named(voice), sep="\\t")
"""

SPEAK = f"""{_VOICES}
languages, wanted, path = sys.argv[1].split(","), sys.argv[2].lower(), sys.argv[3]
for voice in engine.getProperty("voices"):
    is_meant = wanted in named(voice).lower() if wanted else False
    speaks = any(tag.startswith(language) for tag in tags(voice) for language in languages)
    if is_meant or (speaks and not wanted):
        engine.setProperty("voice", voice.id)
        break
else:
    if wanted or not languages[0].startswith("en"):
        sys.exit("no voice " + (wanted or "for " + languages[0]) + " is installed")
text = sys.stdin.read()
engine.save_to_file(text, path) if path else engine.say(text)
engine.runAndWait()
"""
"""One process per sentence: within one, pyttsx3 is known to speak only once, or to overwrite the last file."""
