"""Word, character and phoneme error rates of a whole corpus; jiwer aligns the texts.

An error rate is the number of edits (the fewest substitutions, deletions and insertions) divided by the number of words
in the references, both summed over the utterances. A mean of ratios would give short utterances more weight.
"""

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jiwer
import numpy as np

BOOTSTRAP_SAMPLES = 1000
BOOTSTRAP_VALUES = 2**23  # counts drawn at once: 64 MiB
MAX_CONFUSIONS = 20  # of each kind
WORD_BINS = (0, 1, 2, 4, 8, 16, 32, 64)
SECOND_BINS = (0, 1, 2, 4, 8, 16, 32)
RATES = {"words": ("wer", "cer"), "phonemes": ("per",)}  # the error rates of each unit, the usual one first

Counts = np.ndarray  # substitutions, deletions, insertions, length of the reference: int (utterances, 4)


def score(
    references: Sequence[str],
    hypotheses: Sequence[str],
    unit: str = "words",
    speakers: Sequence[str | None] | None = None,
    seconds: Sequence[float] | np.ndarray | None = None,
    groups: Sequence[str | None] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Computes all error rates of a split. Additional spaces are ignored.

    Args:
        references: the transcript of each utterance.
        hypotheses: the recognized text of each utterance.
        unit: "words" gives "wer" and "cer"; "phonemes", separated by spaces, gives "per".
        speakers: name of each speaker, or None where unknown.
        seconds: durations; "by_length" has bins of seconds where they are given, otherwise of words.
        groups: name of each utterance's group, or None where unknown.
        seed: of the bootstrap.

    Returns:
        A dict of JSON values. Counts and confusions are in `unit`. Words recognized for an empty reference are
        insertions; where all references are empty, a rate is the number of insertions. "wer_interval" and its like are
        95 % intervals, see `bootstrap_rates`; they are too narrow where a few speakers spoke most utterances.
        "sentence_error_rate" is the share of utterances with any edit.

    Raises:
        ValueError: the unit is unknown, there are no utterances, or the lists differ in length.
    """
    references, hypotheses = _normalize_spaces(references), _normalize_spaces(hypotheses)
    _check(references, unit, {"hypotheses": hypotheses, "speakers": speakers, "seconds": seconds, "groups": groups})
    aligned = jiwer.process_words(references, hypotheses)
    counts = {RATES[unit][0]: _counts(aligned)}
    if unit == "words":
        counts["cer"] = _counts(jiwer.process_characters(references, hypotheses))
    return {
        **{name: _rate(of_rate) for name, of_rate in counts.items()},
        **{f"{name}_interval": bootstrap_interval(*_edits_and_lengths(counts[name]), seed) for name in counts},
        **_totals(aligned, unit, counts),
        "confusions": _confusions(aligned),
        "by_speaker": _by_name(speakers, counts),
        "by_length": _by_length(seconds, unit, counts),
        "by_group": _by_name(groups, counts),
    }


def align(references: Sequence[str], hypotheses: Sequence[str]) -> list[list[tuple[str, str, str]]]:
    """Aligns texts word by word with the fewest edits.

    Args:
        references: the transcript of each utterance.
        hypotheses: the recognized text of each utterance.

    Returns:
        For each utterance (kind, word of the reference, word of the hypothesis) in order; `kind` is "equal",
        "substitute", "delete" or "insert", and a missing word is "".
    """
    references, hypotheses = _normalize_spaces(references), _normalize_spaces(hypotheses)
    return _pairs(jiwer.process_words(references, hypotheses)) if references else []


def counts(references: Sequence[str], hypotheses: Sequence[str], name: str = "wer") -> tuple[np.ndarray, np.ndarray]:
    """Counts the edits of each utterance; the ratio of the sums is the error rate.

    Args:
        references: the transcript of each utterance.
        hypotheses: the recognized text of each utterance.
        name: "wer" counts in words, "per" in phonemes, "cer" in characters; "sentence_error_rate" counts utterances
            with any edit.

    Returns:
        Edits and lengths of the references, both int (utterances,); for "sentence_error_rate" 0 or 1, and 1.
    """
    process = jiwer.process_characters if name == "cer" else jiwer.process_words
    edits, lengths = _edits_and_lengths(_counts(process(_normalize_spaces(references), _normalize_spaces(hypotheses))))
    if name == "sentence_error_rate":
        return (edits > 0).astype(int), np.ones(len(edits), int)
    return edits, lengths


def bootstrap_interval(edits: np.ndarray, lengths: np.ndarray, seed: int = 0) -> list[float]:
    """Computes the 95 % interval of an error rate; the arguments are those of `bootstrap_rates`.

    Returns:
        [low, high], the 2.5 % and 97.5 % quantiles of the bootstrap.
    """
    return [float(bound) for bound in np.quantile(bootstrap_rates(edits, lengths, seed), [0.025, 0.975])]


def bootstrap_rates(edits: np.ndarray, lengths: np.ndarray, seed: int = 0) -> np.ndarray:
    """Computes the error rates of bootstrap samples, each of as many utterances drawn with replacement.

    Source: Bisani and Ney 2004, "Bootstrap estimates for confidence intervals in ASR performance evaluation".

    Args:
        edits: number of edits of each utterance, (utterances,).
        lengths: length of each reference, (utterances,).
        seed: of the random draws.

    Returns:
        (BOOTSTRAP_SAMPLES,).
    """
    # Resampling utterances is drawing from their distinct rows, which are fewer.
    cells, filled = np.unique(np.stack([edits, lengths], axis=1), axis=0, return_counts=True)
    total = int(filled.sum())
    random, rows = np.random.default_rng(seed), max(1, BOOTSTRAP_VALUES // len(cells))
    sizes = [min(rows, BOOTSTRAP_SAMPLES - start) for start in range(0, BOOTSTRAP_SAMPLES, rows)]
    sums = np.concatenate([random.multinomial(total, filled / total, size=size) @ cells for size in sizes])
    return sums[:, 0] / np.maximum(sums[:, 1], 1)


def _check(references: Sequence[str], unit: str, columns: Mapping[str, Sequence[Any] | np.ndarray | None]) -> None:
    if unit not in RATES:
        raise ValueError(f"unit must be one of {', '.join(RATES)}. Received: {unit!r}")
    for name, column in columns.items():
        if column is not None and len(column) != len(references):
            raise ValueError(f"{name} must be as many as references, {len(references)}. Received: {len(column)}")
    if not references:
        raise ValueError("An error rate needs at least one utterance. Received: none")


def _normalize_spaces(texts: Iterable[str]) -> list[str]:
    return [" ".join(text.split()) for text in texts]


def _counts(aligned: Any) -> Counts:
    """The counts of each utterance; jiwer gives those of the whole corpus."""
    counts = np.zeros((len(aligned.references), 4), int)
    columns = {"substitute": 0, "delete": 1, "insert": 2}
    for row, reference, chunks in zip(counts, aligned.references, aligned.alignments, strict=True):
        row[3] = len(reference)
        for chunk in chunks:
            if chunk.type in columns:
                row[columns[chunk.type]] += _size(chunk)
    return counts


def _size(chunk: Any) -> int:
    return max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)


def _edits_and_lengths(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    return counts[:, :3].sum(axis=1), counts[:, 3]


def _rate(counts: Counts) -> float:
    edits, lengths = _edits_and_lengths(counts)
    return float(edits.sum() / max(lengths.sum(), 1))


def _totals(aligned: Any, unit: str, counts: Mapping[str, Counts]) -> dict[str, Any]:
    edits, lengths = _edits_and_lengths(counts[RATES[unit][0]])
    return {
        "sentence_error_rate": float((edits > 0).mean()),
        "utterances": len(edits),
        unit: int(lengths.sum()),
        **({"characters": int(counts["cer"][:, 3].sum())} if unit == "words" else {}),
        "substitutions": aligned.substitutions,
        "deletions": aligned.deletions,
        "insertions": aligned.insertions,
    }


def _pairs(aligned: Any) -> list[list[tuple[str, str, str]]]:
    result = []
    for reference, hypothesis, chunks in zip(aligned.references, aligned.hypotheses, aligned.alignments, strict=True):
        pairs: list[tuple[str, str, str]] = []
        for chunk in chunks:
            missing = [""] * _size(chunk)
            reference_words = reference[chunk.ref_start_idx : chunk.ref_end_idx] or missing
            hypothesis_words = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx] or missing
            pairs += [(chunk.type, *pair) for pair in zip(reference_words, hypothesis_words, strict=True)]
        result.append(pairs)
    return result


def _confusions(aligned: Any) -> dict[str, list[list[Any]]]:
    """The most frequent ones: substitutions [reference, hypothesis, count], deletions and insertions [word, count].

    jiwer.collect_error_counts counts phrases: it joins neighboring words that differ.
    """
    names = {"substitute": "substitutions", "delete": "deletions", "insert": "insertions"}
    counters: dict[str, collections.Counter[tuple[str, ...]]] = {kind: collections.Counter() for kind in names}
    for pairs in _pairs(aligned):
        for kind, *words in pairs:
            if kind in counters:
                counters[kind][tuple(word for word in words if word)] += 1
    return {name: _most_common(counters[kind]) for kind, name in names.items()}


def _most_common(counter: Mapping[tuple[str, ...], int]) -> list[list[Any]]:
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return [[*words, count] for words, count in ordered[:MAX_CONFUSIONS]]


def _by_name(names: Sequence[str | None] | None, counts: Mapping[str, Counts]) -> dict[str, dict[str, Any]]:
    """The rates of the utterances of each name, sorted by name, without those that have none."""
    if names is None:
        return {}
    keys = np.array(["" if name is None else str(name) for name in names])
    return {str(key): _part(keys == key, counts) for key in np.unique(keys) if key}


def _by_length(
    seconds: Sequence[float] | np.ndarray | None, unit: str, counts: Mapping[str, Counts]
) -> dict[str, dict[str, Any]]:
    """The rates of the utterances in each bin of durations, or of words where these are unknown."""
    lengths = counts[RATES[unit][0]][:, 3] if seconds is None else np.asarray(seconds)
    edges, bin_name = (WORD_BINS, _word_bin(unit)) if seconds is None else (SECOND_BINS, _second_bin)
    places = np.digitize(lengths, edges)
    result = {}
    for place in np.unique(places):
        high = edges[place] if place < len(edges) else None
        result[bin_name(edges[place - 1], high)] = _part(places == place, counts)
    return result


def _second_bin(low: int, high: int | None) -> str:
    return f"{low} s and more" if high is None else f"{low} to {high} s"


def _word_bin(unit: str) -> Callable[[int, int | None], str]:
    def name(low: int, high: int | None) -> str:
        if high is None:
            return f"{low} {unit} and more"
        if high > low + 1:
            return f"{low} to {high - 1} {unit}"
        return f"{low} {unit[:-1] if low == 1 else unit}"

    return name


def _part(chosen: np.ndarray, counts: Mapping[str, Counts]) -> dict[str, Any]:
    return {**{name: _rate(of_rate[chosen]) for name, of_rate in counts.items()}, "utterances": int(chosen.sum())}
