"""Words and phrases in four languages, spoken by espeak-ng."""

import collections
import sys
import unicodedata

import numpy as np
import pytest

from pipelines.datasets import espeak, multilingual_tts
from pipelines.errors import UserError
from tests.pipelines.datasets.speech_files import assert_transcribed, sizes

SMALL = {"training_clips": 60, "validation_clips": 10, "test_clips": 20}
# The Unicode scripts of a language.
SCRIPTS = {"en": ("LATIN",), "ur": ("ARABIC",), "pa": ("GURMUKHI",), "sd": ("ARABIC",)}


@pytest.fixture(scope="module")
def corpus():
    pytest.importorskip("espeakng_loader")
    return multilingual_tts.load(multilingual_tts.Config(**SMALL))


def scripts(text):
    return {unicodedata.name(letter).split()[0] for letter in text if letter != " "}


def test_corpus(corpus):
    assert_transcribed(corpus, 16000)
    assert sizes(corpus) == {"train": 60, "validation": 10, "test": 20}
    for split in corpus.splits.values():
        assert set(collections.Counter(split.groups).values()) == {split.size // 5}
        assert set(split.groups) == set(multilingual_tts.GROUPS)
        assert (split.seconds > 0.2).all()
        assert (split.seconds < 6).all()
        for example in split.examples.as_numpy_iterator():
            assert 0.2 < np.abs(example["audio"]).max() <= 1


def test_phrases(corpus):
    known = {language: set(listed.split()) for language, listed in multilingual_tts.WORDS.items()}
    for split in corpus.splits.values():
        for text, group in zip(split.texts, split.groups, strict=True):
            words = text.split(" ")
            assert 1 <= len(words) <= 4
            if group != "mixed":
                assert set(words) <= known[group]
            else:
                assert len(words) >= 2
                assert not any(set(words) <= words_of for words_of in known.values()) or scripts(text) == {"ARABIC"}
    texts = [set(split.texts) for split in corpus.splits.values()]
    assert sum(map(len, texts)) == len(set.union(*texts))
    assert any(len(scripts(text)) > 1 for text in corpus.splits["train"].texts)


def test_words():
    for language, listed in multilingual_tts.WORDS.items():
        words = listed.split()
        assert len(set(words)) == len(words) >= 40
        assert unicodedata.is_normalized("NFC", listed)
        assert scripts("".join(words)) == set(SCRIPTS[language])


def test_no_voice_is_in_two_splits(corpus):
    for name, split in corpus.splits.items():
        assert set(split.speakers) <= set(multilingual_tts.SPEAKERS[name])
    speakers = [speaker for some in multilingual_tts.SPEAKERS.values() for speaker in some]
    assert len(set(speakers)) == len(speakers)


def test_every_voice_speaks_every_language():
    pytest.importorskip("espeakng_loader")
    with espeak.LOCK, espeak.engine() as (speak, _):
        for language, voice in multilingual_tts.LANGUAGES.items():
            word = multilingual_tts.WORDS[language].split()[0]
            speakers = [speaker for some in multilingual_tts.SPEAKERS.values() for speaker in some]
            spoken = [speak(word, f"{voice}+{speaker}", 150, 50).tobytes() for speaker in speakers]
            assert len(set(spoken)) == len(spoken)


def test_the_same_config_another_seed_and_another_rate(corpus):
    second = multilingual_tts.load(multilingual_tts.Config(**SMALL))
    for name, split in corpus.splits.items():
        assert split.texts == second.splits[name].texts
        for expected, example in zip(split.examples, second.splits[name].examples, strict=True):
            np.testing.assert_array_equal(example["audio"], expected["audio"])
    few = {"training_clips": 5, "validation_clips": 5, "test_clips": 5}
    other = multilingual_tts.load(multilingual_tts.Config(**few, speech_seed=1), 8000)
    assert_transcribed(other, 8000)
    assert other.splits["test"].texts != corpus.splits["test"].texts[:5]


def test_wrong_settings_and_no_engine(monkeypatch):
    for field in ("training_clips", "validation_clips", "test_clips"):
        with pytest.raises(ValueError, match=f"data.{field} must be 5 to .* Received: 4"):
            multilingual_tts.Config(**{field: 4})
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UserError, match=r"pip install 'tfrec\[tts\]'"):
        multilingual_tts.load(multilingual_tts.Config())
