"""Text normalization: the rules of each language, and that normalizing twice changes nothing."""

import itertools
import random
import unicodedata

import pytest

from tfrec.text.normalization import TextConfig, normalize

# Latin, combining accents, Greek, Cyrillic, Hebrew, Arabic, Gurmukhi, typography, presentation forms, full width.
RANGES = (
    *((0x20, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x780), (0x8A0, 0x900), (0xA00, 0xA80)),
    *((0x2000, 0x2070), (0xFB00, 0xFE10), (0xFE70, 0xFFF0)),
)
SCRIPTS = [[chr(code) for code in range(*ends)] for ends in RANGES]
COMMON = list(" '-\u2019.\u0640\u200c\u0654\u0301")


def random_texts(count, seed):
    """Texts of a few characters of one script or of all mixed, with spaces, apostrophes, hyphens and joiners."""
    rng = random.Random(seed)
    for _ in range(count):
        script = rng.choice([*SCRIPTS, list(itertools.chain(*SCRIPTS))])
        yield "".join(rng.choices(script + COMMON * (len(script) // 20 + 1), k=rng.randrange(14)))


@pytest.mark.parametrize("language", ["en", "ur", "pa", "sd", "ar", "fa", "tr", "mul"])
@pytest.mark.parametrize("keep", [(), ("punctuation",), ("vowel_marks",), ("case", "digits")], ids=" ".join)
def test_normalizing_twice_changes_nothing(language, keep):
    config = TextConfig(language=language, **dict.fromkeys(keep, "keep"))
    for text in random_texts(400, seed=len(keep)):
        normal = normalize(text, config)
        assert normalize(normal, config) == normal, ascii(text)
        assert unicodedata.is_normalized("NFC", normal), ascii(text)
        assert normal == " ".join(normal.split()), ascii(text)


@pytest.mark.parametrize(("text", "normal"), [
    ("  Hello,\tWORLD!\n", "hello world"),
    ("don\u2019t \u2018quote\u2019 rock'n'roll dogs' 'tis", "don't quote rock'n'roll dogs tis"),
    ("well\u2010known - a--b -x y- 3\u22124", "well-known a b x y 3-4"),
    ("cafe\u0301", "caf\u00e9"),
    ("co\u00adop\u200dera\ufefftion zero\u200bwidth", "cooperation zero width"),
    ("\ufb01ne \uff26\uff35\uff2c\uff2c", "fine full"),
    ("x\u00b2 \u00bd", "x\u00b2 \u00bd"),  # NFKC would say x2
    ("50% of $3.20 & more", "50% of $3.20 more"),
    ("12.5% -5 1,000 +3 .5 -.5 10:30 24/7", "12.5% -5 1,000 +3 .5 -.5 10:30 24/7"),
    ("50 \u20ac off, \u20ac50, \uff04 5", "50 \u20ac off \u20ac50 $ 5"),
    ("5 - 3, 5. a.b 1, (-5) --5 x:y % \u20ac a/b 3.", "5 3 5 a b 1 -5 5 x y a b 3"),
    ("\u06f1\u06f2\u066b\u06f5\u066a \u0661\u066c\u0660", "12.5% 1,0"),
    ("Zu\u0308rich Z\u00fcrich STRA\u1e9eE", "z\u00fcrich z\u00fcrich stra\u00dfe"),
    ("\U0001f600 \U0001f468\u200d\U0001f469 ...", ""),
    ("\u06f1\u06f2 \u0663 \u0a6a", "12 3 4"),
    ("", ""),
    ("?!", ""),
    ("\x00a\x07\ud800b", "a b"),
])  # fmt: skip
def test_normalizes_english(text, normal):
    assert normalize(text, TextConfig()) == normal


@pytest.mark.parametrize(("language", "text", "normal"), [
    # Arabic yeh, kaf and heh, and Persian's, from different keyboards.
    ("ur", "\u0643\u064a\u0647", "\u06a9\u06cc\u06c1"),
    ("ur", "\u06be", "\u06be"),  # aspirates in Urdu
    ("ur", "\u06cc\u0654 \u064a\u0654 \u0626", "\u0626 \u0626 \u0626"),
    ("ur", "\u06c1\u0654 \u06d5\u0654 \u06c2", "\u06c2 \u06c2 \u06c2"),
    ("pa-Arab", "\u0643", "\u06a9"),
    ("ar", "\u06a9\u06cc\u06c1 \u0649", "\u0643\u064a\u0647 \u0649"),
    ("fa", "\u0643\u064a\u0629", "\u06a9\u06cc\u0629"),
    ("sd", "\u0643 \u06aa \u06a9", "\u06aa \u06aa \u06a9"),  # Sindhi has both
    ("sd", "\u06cc \u06c1 \u06be \u0647", "\u064a \u0647 \u0647 \u0647"),
    ("sd", "\u06fd \u06fe \u060c", "\u06fd \u06fe"),  # words, which Unicode classes as symbols
    ("mul", "\u0643 \u06a9", "\u0643 \u06a9"),
    ("ur", "\u0645\u0640\u0640\u064f\u062d\u064e\u0645\u0651\u062f", "\u0645\u062d\u0645\u062f"),  # tatweel, vowels
    ("ur", "\u06c1\u06d2\u06d4 \u06a9\u06cc\u0627\u061f", "\u06c1\u06d2 \u06a9\u06cc\u0627"),
    ("ar", "\ufefb \ufedf\ufe8e", "\u0644\u0627 \u0644\u0627"),  # presentation forms
    ("ar", "\ufe71", ""),
    # Gurmukhi: vowel signs stay, nukta letters are two code points in NFC, the danda is removed.
    ("pa", "\u0a36\u0a2c \u0a38\u0a3c \u0a2e\u0a48\u0a02\u0964", "\u0a38\u0a3c\u0a2c \u0a38\u0a3c \u0a2e\u0a48\u0a02"),
    ("tr", "I\u0130", "\u0131i"),
    ("en", "\u0130STANBUL I\u0307 i\u0307", "istanbul i i"),
    ("mul", "\u0130", "i"),
    ("tr", "i\u0307", "i"),
    # Joiners, which Persian and Urdu put within words, are removed.
    *((language, "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u062e\u0648\u0627\u0647\u0645")
      for language in ("fa", "mul")),
    ("ur", "\u0645\u06cc\u200c\u062e\u0648\u0627\u06c1\u0645", "\u0645\u06cc\u062e\u0648\u0627\u06c1\u0645"),
    ("ar", "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f", "\u0645\u062d\u0645\u062f"),  # one word
])  # fmt: skip
def test_normalizes_by_language(language, text, normal):
    assert normalize(text, TextConfig(language=language)) == normal


def test_keep_settings():
    text = "\u0645\u064e\u060c A. \u0663"
    assert normalize(text, TextConfig(case="keep")) == "\u0645 A 3"
    assert normalize(text, TextConfig(digits="keep")) == "\u0645 a \u0663"
    assert normalize(text, TextConfig(vowel_marks="keep")) == "\u0645\u064e a 3"
    assert normalize(text, TextConfig(punctuation="keep")) == "\u0645\u060c a. 3"


@pytest.mark.parametrize("wrong", [
    {"language": ""}, {"language": "English"}, {"case": "upper"}, {"digits": "arabic"}, {"punctuation": "some"},
    {"vowel_marks": True},
])  # fmt: skip
def test_rejects_wrong_settings(wrong):
    with pytest.raises(ValueError, match=rf"text.{next(iter(wrong))} must be .* Received: "):
        TextConfig(**wrong)
