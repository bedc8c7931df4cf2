"""The frames that made each word."""

import numpy as np
import pytest

from pipelines.errors import UserError
from tfrec.explain import of_words


def test_symbols_become_words_with_their_steps():
    pieces = ["", "a", "b", " "]
    best = np.array([0, 1, 1, 0, 1, 3, 2, 2, 0, 3, 0])
    assert of_words._words(best, pieces) == [("aa", [1, 2, 4]), ("b", [6, 7])]


@pytest.mark.slow
def test_every_word_of_a_transcript(trained, melodies):
    recognizer = trained("bilstm_ctc")[1]
    sources = sorted(melodies.parent.rglob("*.wav"))[:6]
    checked = 0
    for source in sources:
        waveform = recognizer.read(str(source))
        text = next(iter(recognizer.predict([str(source)]))).text
        features, words = of_words.explain_words(recognizer, waveform)
        assert " ".join(word for word, _ in words) == text
        for _, relevance in words:
            assert relevance.shape == features.shape[:1]
            assert np.abs(relevance).max() > 0
            checked += 1
    assert checked


def test_a_recording_that_is_too_long(trained):
    recognizer = trained("bilstm_ctc")[1]
    with pytest.raises(UserError, match="Of 31 s only up to 30 s can be explained"):
        of_words.explain_words(recognizer, np.zeros(31 * 8000, "float32"))
