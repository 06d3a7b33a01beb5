"""What other people call the labels: words of the field, of other data sets, and Chinese in both scripts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from mien.labels import LETTERS

_BETWEEN = re.compile(r"[\s_-]+")
_AFTER = re.compile(r"(?<=.)(?:的|表情|手势|手勢)$")
"""What Chinese names of classes often end in: 高兴的, 高兴表情, 胜利手势."""

_WORDS: Mapping[str, str] = {
    "angry": "anger, angriness, 生气, 愤怒, 发怒, 恼怒, 气愤, 生氣, 憤怒, 發怒",
    "disgust": "disgusted, 厌恶, 反感, 恶心, 嫌恶, 厭惡, 噁心",
    "fear": "fearful, afraid, scared, frightened, 害怕, 恐惧, 恐慌, 惊恐, 恐懼, 驚恐",
    "happy": "happiness, joy, joyful, 高兴, 开心, 快乐, 愉快, 喜悦, 幸福, 高興, 開心, 快樂, 喜悅",
    "sad": "sadness, sorrow, 悲伤, 难过, 伤心, 悲哀, 忧伤, 悲傷, 難過, 傷心, 憂傷",
    "surprise": "surprised, astonished, amazed, 惊讶, 吃惊, 惊奇, 诧异, 驚訝, 吃驚, 驚奇",
    "neutral": "neutrality, natural, 中性, 自然, 平静, 中立, 无表情, 平靜, 無表情",
    "contempt": "contemptuous, 轻蔑, 蔑视, 鄙视, 輕蔑, 蔑視, 鄙視",
    "loser": "l sign, l shape, 失败者, 输家, 失敗者, 輸家",
    "punch": "fist, closed fist, 拳头, 握拳, 拳, 石头, 拳頭, 石頭",
    "super": "ok, okay, ok sign, 好的, 没问题, 沒問題",
    "victory": "peace, peace sign, v sign, victory sign, 胜利, 剪刀手",
    "thumb_up": (
        "thumb up, thumbs up, thumbup, thumbsup, like, 点赞, 赞, 竖大拇指, 大拇指, 拇指向上, 拇指朝上, 點讚, 豎大拇指"
    ),
    "thumb_down": (
        "thumb down, thumbs down, thumbdown, thumbsdown, dislike, 点踩, 踩, 倒大拇指, 倒拇指, 拇指向下, 拇指朝下, 倒讚"
    ),
    "palm": "open palm, open hand, 手掌, 张开手掌, 手掌张开, 五指张开, 布, 張開手掌, 手掌張開, 五指張開",
    "point": "pointing, pointing up, pointing finger, 指, 指向, 指点, 食指, 伸食指, 指點",
    "call": "call me, phone, telephone, 打电话, 电话, 打電話, 電話",
    "rock": "rock on, horns, 摇滚, 搖滾",
    "none": "other, others, nothing, no gesture, 无, 其他, 其它, 没有, 无手势, 無, 沒有, 無手勢",
}

SYNONYMS: Mapping[str, str] = {
    **{word: label for label, words in _WORDS.items() for word in words.split(", ")},
    **{letter.casefold(): gesture for letter, gesture in LETTERS.items()},
}
"""Words in the form of `spoken`, and the label that each means."""


def spoken(name: str) -> str:
    """The name of a class in the form in which synonyms are compared.

    Letters are composed (NFKC) and in lower case; spaces, hyphens and underscores become one space; a Chinese 的, 表情
    (expression) or 手势 (gesture) at the end goes.
    """
    words = _BETWEEN.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip()
    return words if words in SYNONYMS else _AFTER.sub("", words).strip()
