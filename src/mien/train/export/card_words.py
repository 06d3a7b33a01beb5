"""The text of model cards that no measurement can supply, by kind of data. It states no figures of a model."""

from __future__ import annotations

from mien.evaluation.manifest_scores import ACCEPTABLE, FERPLUS, FLIP_AVERAGED, WITHOUT_COPIES

FACTORS = {
    "fer2013": """- The expression: some are read far better than others (see "By label").
- Light, distance, blur, the turn of the head, and hands, hair, masks or glasses that cover the face.
- Who the person is. FER2013 has no marks of age, gender or skin tone, so nothing here says how equally well the
  model reads different people. It must be assumed that it does not: measure it on the people you have in mind.""",
    "images": """- What its data set showed: other people, places, cameras and light may be read less well.
- Who the person is. There are no figures by age, gender or skin tone unless you measure them.""",
    "hands": """- Whose hand it is, and how it is held: people differ more than pictures of one person do.
- The size of the hand in the picture, blur, hands seen edge-on or holding things: the gesture is read from
  landmarks, and where these are wrong, so is the answer.
- Skin tone, age and gloves: there are no figures by these for this data.""",
}

TRAINING_DATA = {
    "fer2013": """FER2013 (Goodfellow et al. 2013): faces found by a web image search for words of emotion, together
with words of gender, age and ethnicity, cut out by a face detector, checked by people, and sorted into seven
expressions; 48x48 grey pixels. Many are posed. The people shown were not asked, and are not a representative sample.
The rights in the images are unresolved: they were collected for a research challenge.""",
    "images": """A data set of its user's own; its rights are theirs to state.""",
    "hands": """Landmarks of hands, found by a hand detector in a data set of its user's own; the rights in the pictures
are theirs to state.""",
    "sign_language": """Landmarks found by the package's hand detector in sign-language pictures that were published for
research and study under various terms: few signers, whose pictures are near copies of one another.""",
    "many_hands": """Landmarks found by the package's hand detector in two kinds of pictures: sign-language pictures
that were published for research and study under various terms, of few signers, near copies of one another; and crops of
hands of HaGRID (HAnd Gesture Recognition Image Dataset; Kapitanov et al. 2022, https://github.com/hukenovs/hagrid),
collected by crowdsourcing, mostly indoors, of thousands of people of 18 years and more, under its own public licence
(attribution and share-alike, a variant of CC BY-SA 4.0). A fifth of the latter was never trained on.""",
}

VOTES = """Raters' votes: FER+ (Barsoum et al. 2016), MIT licence."""

ETHICS = """A face that looks sad need not belong to somebody who is sad: facial movements do not reliably tell
emotions (Barrett et al. 2019). The labels are what other people thought of a picture, in the culture they live in.
Errors fall on people, and probably not on all alike. In the EU the AI Act forbids inferring emotions at work and in
education, medical and safety uses excepted (Article 5(1)(f)), and people exposed to emotion recognition must be
told (Article 50(3)). Not legal advice."""

HAND_ETHICS = {
    "sign_language": """The training pictures show the hands of a few people. Signs of a sign language are not read
here, only four hand shapes: this is not a tool for communicating with signers. Hands that differ from those few
(missing or stiff fingers, say) are likely to be read wrongly: never make a gesture the only way to do something.""",
    "many_hands": """Signs of a sign language are not read here, only hand shapes: this is not a tool for communicating
with signers. Some hand shapes are rude in some countries (a thumb held up, an OK sign, horns): mien says what it sees
and means nothing by it. Hands that differ from those of the training pictures (missing or stiff fingers, say) are
likely to be read wrongly: never make a gesture the only way to do something.""",
    "hands": """Signs of a sign language are not read here, only hand shapes: this is not a tool for communicating with
signers. Hands that differ from those of the training pictures (missing or stiff fingers, say) are likely to be read
wrongly: never make a gesture the only way to do something.""",
}

_FACE_CAVEATS = """- Images repeat within FER2013; figures "without copies" leave such images out.
- Posed pictures from the web are not everyday faces: expect less on those, and measure before you rely on it.
- Take "uncertain" as "not sure", and show it. Average over time in video; a single frame says little.
- Tell people that a camera looks at them and what for, keep no more than you need, and let them say no."""

CAVEATS = {
    "fer2013": """- Labels are noisy: people agree with those of FER2013 in about 65 % of cases (Goodfellow et al.
  2013). An accuracy on them says as much about the labels as about the model.
"""
    + _FACE_CAVEATS,
    "ferplus": """- A label is what more of ten raters chose than anything else; images on which they did not agree
  that far are left out of training and figures. Contempt, disgust and fear are rare, and read worst.
"""
    + _FACE_CAVEATS,
    "images": """- The figures hold for pictures like those of its data set.
- Take "uncertain" as "not sure", and show it.
- Tell people that a camera looks at them and what for, keep no more than you need, and let them say no.""",
    "hands": """- The figures hold for hands like those of its data set; nothing is known about gloves, missing or stiff
  fingers, age or skin tone unless you measure it.
- Take "uncertain" as "no gesture". Hold a gesture for a moment before you act on it.""",
    "sign_language": """- A V or an F that is small, blurred or seen half from the side is read worst; most of these are
  called none or uncertain.
- Two fingers held up in other ways are the hands most often taken for a victory sign; any fist is a punch.
- About a dozen people were measured; nothing is known about gloves, missing or stiff fingers, age or skin tone.
- Take "uncertain" as "no gesture". Hold a gesture for a moment before you act on it.""",
    "many_hands": """- A V or an F that is small, blurred or seen half from the side is read worst; most of these are
  called none or uncertain.
- Any fist is a punch. Two fingers held up close together are the hands most often taken for a victory sign.
- L signs (loser) were learned from the sign-language pictures alone, so from about a dozen people.
- Of HaGRID it is not known who is in which picture, so some people may be on both sides of its figures. Nothing is
  known about gloves, missing or stiff fingers, age or skin tone.
- Take "uncertain" as "no gesture". Hold a gesture for a moment before you act on it.""",
}

INTENDED = {
    "emotion": """Describing in words what an expression looks like ("looks happy"), on the user's own machine, with
the person's knowledge: installations and robots that answer a smile, accessible interfaces, research that states
its limits. For those who build such things and can judge the figures below.""",
    "gesture": """Reacting to hand shapes that somebody makes on purpose, on the user's own machine: installations,
robots, kiosks, interfaces without touch. For those who build such things and can judge the figures below.""",
    "sign_language": """Reacting to four hand shapes that somebody makes on purpose, on the user's own machine:
installations, robots, kiosks, interfaces without touch. For those who build such things and can judge the figures
below.""",
}
INTENDED["many_hands"] = INTENDED["gesture"]

OUT_OF_SCOPE = """Judging what somebody feels, thinks or intends; identity, age, gender, race, health; decisions
about people (hiring, grading, insuring, policing, credit, border control); watching people without their knowledge;
use at work or in education where the law forbids it (in the EU: AI Act, Article 5(1)(f)); anything where a wrong
answer can harm somebody."""

MEANINGS = {
    "accuracy": ("accuracy", "share of right answers, with the middle 95 % of 2,000 bootstrap resamples"),
    f"accuracy{FLIP_AVERAGED}": (
        "accuracy, flip averaged",
        "the same for the mean of the answers to the picture and its mirror image; twice the time",
    ),
    f"accuracy{WITHOUT_COPIES}": (
        "accuracy without copies",
        "the same on samples that equal no training sample and no earlier one",
    ),
    f"accuracy{FERPLUS}": (
        "accuracy by FER+",
        "the label is the one that most of the ten FER+ raters chose, the first of equals",
    ),
    f"labels_agree{FERPLUS}": ("labels by FER+", "how often the data's own labels are what most FER+ raters chose"),
    "macro_f1": ("macro F1", "F1 of each label, averaged: rare labels count as much as common ones"),
    f"macro_f1{FLIP_AVERAGED}": ("macro F1, flip averaged", "the same for the mean of picture and mirror image"),
    f"macro_f1{WITHOUT_COPIES}": ("macro F1 without copies", "the same without samples that occur elsewhere"),
    f"macro_f1{FERPLUS}": ("macro F1 by FER+", "the same with the labels of most FER+ raters"),
    "balanced_accuracy": ("balanced accuracy", "share of right answers of each label, averaged"),
    "top_2_accuracy": ("top-2 accuracy", "share of samples whose label is one of the two most probable"),
    "ece": ("ECE", "expected calibration error: mean gap of confidence and accuracy in 15 bins; 0 is best"),
    f"ece{FLIP_AVERAGED}": ("ECE, flip averaged", "the same for the mean of picture and mirror image"),
    "brier": ("Brier score", "squared distance of probabilities and truth, 0 to 2; 0 is best"),
    "nll": ("NLL", "negative log likelihood of the true label; 0 is best"),
    ACCEPTABLE: (
        "acceptable to people",
        "share of answers that are the label, or that at least two of the ten FER+ raters gave",
    ),
    "four gestures recognised": (
        "four gestures recognised",
        "share of pictures of the four whose answer is right and not uncertain; a hand that is not found is a miss",
    ),
    "none recognised": (
        "none recognised",
        "share of pictures of any other hand whose answer is none or uncertain, or in which no hand is found",
    ),
    "flat hands recognised": (
        "flat hands left alone",
        "share of pictures of flat hands whose answer is none or uncertain, or in which no hand is found",
    ),
    "seeds' four gestures recognised": (
        "seeds' four gestures recognised",
        "share of pictures of loser, punch, super and victory whose answer is right and sure; no hand is a miss",
    ),
    "seeds' four gestures, best answer": (
        "seeds' four gestures, best answer",
        "share of the same whose likeliest answer is right, however unsure",
    ),
    "robustness_drop": ("lost to camera corruptions", "mean loss of accuracy over the corruptions listed below"),
}
"""Readable name and meaning of each score, in the order of the tables."""

SHARES = frozenset(
    name
    for name in MEANINGS
    if any(word in name for word in ("accuracy", "recognised", "best answer"))
    or name in (f"labels_agree{FERPLUS}", ACCEPTABLE, "robustness_drop")
)
"""Scores that are shown in percent."""
