"""Error rates: against jiwer, against a plain edit distance, and computed by hand."""

import json

import jiwer
import numpy as np
import pytest

from tfrec.evaluation.metrics import transcription


def distance(one, other):
    """The Levenshtein distance, row by row."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]


def pairs(count, words=("a", "ab", "سلام", "word", "x")):
    random = np.random.default_rng(0)
    draw = lambda: " ".join(random.choice(words, random.integers(0, 9)))  # noqa: E731
    return [draw() for _ in range(count)], [draw() for _ in range(count)]


def test_rates_equal_jiwer_and_plain_edit_distance():
    references, hypotheses = pairs(1000)
    assert "" in references
    assert "" in hypotheses
    scores = transcription.score(references, hypotheses)
    assert scores["wer"] == pytest.approx(jiwer.wer(references, hypotheses), abs=1e-12)
    assert scores["cer"] == pytest.approx(jiwer.cer(references, hypotheses), abs=1e-12)
    edits = [distance(one.split(), other.split()) for one, other in zip(references, hypotheses, strict=True)]
    words = sum(len(text.split()) for text in references)
    assert scores["words"] == words
    assert scores["substitutions"] + scores["deletions"] + scores["insertions"] == sum(edits)
    assert scores["wer"] == pytest.approx(sum(edits) / words)
    characters = sum(map(len, references))
    assert scores["characters"] == characters
    assert scores["cer"] == pytest.approx(sum(map(distance, references, hypotheses)) / characters)
    assert scores["sentence_error_rate"] == np.mean(np.array(edits) > 0)
    for reference, hypothesis in list(zip(references, hypotheses, strict=True))[:50]:  # pair by pair
        (single, library) = (transcription.score([reference], [hypothesis]), jiwer.process_words(reference, hypothesis))
        assert single["wer"] == pytest.approx(library.wer)
        assert [single[kind] for kind in ("substitutions", "deletions", "insertions")] == [
            library.substitutions,
            library.deletions,
            library.insertions,
        ]


def test_scores_computed_by_hand():
    references = ["the cat sat", "", "go  home now", "yes"]
    hypotheses = ["the hat sat down", "uh", "go now ", "yes"]
    scores = transcription.score(
        references,
        hypotheses,
        speakers=["ann", "bob", "ann", None],
        seconds=[1.5, 0.2, 40.0, 1.0],
        groups=["en", "en", "ur", "ur"],
    )
    assert json.loads(json.dumps(scores)) == scores
    assert scores["wer"] == pytest.approx(
        4 / 7
    )  # one substitution, two insertions, one deletion; not the mean of ratios
    # Of 11 + 0 + 11 + 3 characters: c to h, " down", "uh", "home ".
    assert scores["cer"] == pytest.approx((1 + 5 + 2 + 5) / 25)
    assert (scores["utterances"], scores["words"], scores["characters"]) == (4, 7, 25)
    assert (scores["substitutions"], scores["deletions"], scores["insertions"]) == (1, 1, 2)
    assert scores["sentence_error_rate"] == 0.75
    assert scores["confusions"] == {
        "substitutions": [["cat", "hat", 1]],
        "deletions": [["home", 1]],
        "insertions": [["down", 1], ["uh", 1]],
    }
    assert scores["by_speaker"] == {
        "ann": {"wer": 3 / 6, "cer": 11 / 22, "utterances": 2},
        "bob": {"wer": 1.0, "cer": 2.0, "utterances": 1},
    }
    assert {name: part["utterances"] for name, part in scores["by_length"].items()} == {
        "0 to 1 s": 1,
        "1 to 2 s": 2,
        "32 s and more": 1,
    }
    assert scores["by_length"]["32 s and more"]["wer"] == pytest.approx(1 / 3)
    assert {name: part["wer"] for name, part in scores["by_group"].items()} == {"en": 1.0, "ur": 0.25}
    by_words = transcription.score(references, hypotheses)["by_length"]
    assert {name: part["utterances"] for name, part in by_words.items()} == {
        "0 words": 1,
        "1 word": 1,
        "2 to 3 words": 2,
    }


def test_confusions_are_sorted_by_frequency():
    references = ["b x"] * 3 + ["a x"] * 3 + ["c x"] * 5
    scores = transcription.score(references, ["q x"] * 11)
    assert scores["confusions"]["substitutions"] == [["c", "q", 5], ["a", "q", 3], ["b", "q", 3]]
    many = [f"w{i}" for i in range(30)]
    assert len(transcription.score(many, [""] * 30)["confusions"]["deletions"]) == transcription.MAX_CONFUSIONS


def test_empty_references_and_hypotheses():
    scores = transcription.score(["", " "], ["", ""])
    assert (scores["wer"], scores["cer"], scores["wer_interval"], scores["words"]) == (0.0, 0.0, [0.0, 0.0], 0)
    assert transcription.score(["", ""], ["a b", "c"])["wer"] == 3.0
    assert transcription.score(["a b", "c"], ["", ""])["wer"] == 1.0
    assert transcription.score(["a b"], [""])["deletions"] == 2


def test_phonemes():
    scores = transcription.score(["sil ae t", "k"], ["sil eh t", "k"], unit="phonemes", groups=["one", "two"])
    assert scores["per"] == 0.25
    assert scores["phonemes"] == 4
    assert set(scores["by_group"]["one"]) == {"per", "utterances"}
    assert "per_interval" in scores
    assert not {"wer", "cer", "words", "characters", "cer_interval"} & set(scores)


def test_interval_covers_the_rate_and_is_repeatable():
    random = np.random.default_rng(1)
    rate, covered = 0.2, 0
    for seed in range(200):
        lengths = random.integers(1, 12, size=100)
        low, high = transcription.bootstrap_interval(random.binomial(lengths, rate), lengths, seed)
        covered += low <= rate <= high
        # Independent edits of about 600 words: the normal approximation is good to a fifth of its width.
        width = 2 * 1.96 * np.sqrt(rate * (1 - rate) / lengths.sum())
        assert high - low == pytest.approx(width, rel=0.35)
    assert 0.88 <= covered / 200 <= 0.99
    references, hypotheses = pairs(60)
    scores = transcription.score(references, hypotheses, seed=3)
    assert scores == transcription.score(references, hypotheses, seed=3)
    assert scores["wer_interval"] != transcription.score(references, hypotheses, seed=4)["wer_interval"]
    assert scores["wer_interval"][0] < scores["wer"] < scores["wer_interval"][1]
    assert scores["cer_interval"][0] < scores["cer"] < scores["cer_interval"][1]


def test_alignments_contain_both_texts():
    references, hypotheses = pairs(200)
    for reference, hypothesis, aligned in zip(
        references, hypotheses, transcription.align(references, hypotheses), strict=True
    ):
        assert " ".join(word for _, word, _ in aligned if word) == reference
        assert " ".join(word for *_, word in aligned if word) == hypothesis
        assert sum(kind != "equal" for kind, *_ in aligned) == distance(reference.split(), hypothesis.split())
        assert all((reference_word == word) == (kind == "equal") for kind, reference_word, word in aligned)
        assert all(
            bool(reference_word) == (kind != "insert") and bool(word) == (kind != "delete")
            for kind, reference_word, word in aligned
        )
    assert transcription.align([], []) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], ["a", "b"]), "hypotheses must be as many as references, 1"),
        ((["a"], ["a"], "words", ["x", "y"]), "speakers must be as many"),
        ((["a"], ["a"], "letters"), "unit must be one of words, phonemes"),
        (([], []), "at least one utterance"),
    ],
)
def test_rejects_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        transcription.score(*arguments)


@pytest.mark.parametrize("name", ["wer", "cer", "sentence_error_rate"])
def test_counts_of_utterances_sum_to_the_score(name):
    references, hypotheses = ["one two", "three", "four five six"], ["one too", "three", "four six"]
    edits, lengths = transcription.counts(references, hypotheses, name)
    assert edits.sum() / lengths.sum() == pytest.approx(transcription.score(references, hypotheses)[name])
    assert edits[1] == 0 < lengths[1]
