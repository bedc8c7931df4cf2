"""Word, character and phoneme error rates of a whole corpus; jiwer aligns and counts.

An error rate is the number of edits (substitutions, deletions and insertions of the fewest) over the number of words in
the references, both summed over the utterances: never a mean of ratios, in which short utterances would weigh more.
"""

import collections

import jiwer
import numpy as np

BOOTSTRAP_SAMPLES = 1000
CONFUSIONS = 20  # of each kind
WORD_BINS = (0, 1, 2, 4, 8, 16, 32, 64)
SECOND_BINS = (0, 1, 2, 4, 8, 16, 32)
RATES = {"words": ("wer", "cer"), "phonemes": ("per",)}


def score(references, hypotheses, unit="words", speakers=None, seconds=None, groups=None, seed=0):
    """Texts said and texts recognized, one for each utterance -> a dict of plain numbers, strings and lists.

    `unit` is "words", which gives "wer" and "cer", or "phonemes", which are separated by spaces and give "per"; counts
    and confusions are of that unit. Spaces at the ends and more than one between words do not count. An empty reference
    counts what was heard in it as insertions; where all are empty, the rate is the number of insertions. `speakers` and
    `groups` are names, or None where unknown; `seconds` are durations, and "by_length" tells by them instead of by
    words.

    "wer_interval" and its like are 95 % percentile bootstraps over the utterances (Bisani and Ney 2004), narrower than
    they should be where a few speakers said much. "sentence_error_rate" is the share of utterances with any edit.
    """
    rates = _rates(unit)
    references, hypotheses = _texts(references), _texts(hypotheses)
    columns = {"hypotheses": hypotheses, "speakers": speakers, "seconds": seconds, "groups": groups}
    for name, column in columns.items():
        if column is not None and len(column) != len(references):
            raise ValueError(f"{name} must be as many as references, {len(references)}. Received: {len(column)}")
    if not references:
        raise ValueError("An error rate needs at least one utterance. Received: none")
    aligned = jiwer.process_words(references, hypotheses)
    counts = {rates[0]: _counts(aligned)}
    if unit == "words":
        counts["cer"] = _counts(jiwer.process_characters(references, hypotheses))
    found = counts[rates[0]]
    if seconds is None:
        by_length = _by_length(found[:, 3], WORD_BINS, unit, counts)
    else:
        by_length = _by_length(np.asarray(seconds), SECOND_BINS, "s", counts)
    return {
        **{name: _rate(counts[name]) for name in rates},
        **{f"{name}_interval": interval(_edits(counts[name]), counts[name][:, 3], seed) for name in rates},
        "sentence_error_rate": float((_edits(found) > 0).mean()),
        "utterances": len(references),
        unit: int(found[:, 3].sum()),
        **({"characters": int(counts["cer"][:, 3].sum())} if unit == "words" else {}),
        **dict(zip(("substitutions", "deletions", "insertions"), map(int, found[:, :3].sum(axis=0)), strict=True)),
        "confusions": _confusions(aligned),
        "by_speaker": _by(speakers, counts),
        "by_length": by_length,
        "by_group": _by(groups, counts),
    }


def align(references, hypotheses):
    """A list for each utterance of (kind, word of the reference, word of the hypothesis), in the order of speech.

    `kind` is "equal", "substitute", "delete" or "insert"; what is not there is "".
    """
    references, hypotheses = _texts(references), _texts(hypotheses)
    return _pairs(jiwer.process_words(references, hypotheses)) if references else []


def counts(references, hypotheses, name="wer"):
    """(edits, length of the reference) of each utterance, both (utterances,), whose sums' ratio is that error rate.

    In words for "wer", phonemes for "per", characters for "cer"; for "sentence_error_rate" whether there is any, of 1.
    """
    process = jiwer.process_characters if name == "cer" else jiwer.process_words
    found = _counts(process(_texts(references), _texts(hypotheses)))
    if name == "sentence_error_rate":
        return (_edits(found) > 0).astype(int), np.ones(len(found), int)
    return _edits(found), found[:, 3]


def interval(edits, lengths, seed=0):
    """95 % interval of an error rate, [low, high], from the edits and the reference length of each utterance."""
    return [float(bound) for bound in np.quantile(resampled(edits, lengths, seed), [0.025, 0.975])]


def resampled(edits, lengths, seed=0):
    """Error rates, (BOOTSTRAP_SAMPLES,), of as many utterances drawn from these with replacement.

    Bisani and Ney 2004, "Bootstrap estimates for confidence intervals in ASR performance evaluation".
    """
    drawn = resampled_sums([edits, lengths], seed)
    return drawn[:, 0] / np.maximum(drawn[:, 1], 1)


def resampled_sums(columns, seed=0):
    """Sums (BOOTSTRAP_SAMPLES, columns) of `columns`, each (utterances,), over as many utterances drawn from these."""
    # Resampling utterances is drawing from their fewer different rows.
    cells, filled = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    total = int(filled.sum())
    return np.random.default_rng(seed).multinomial(total, filled / total, size=BOOTSTRAP_SAMPLES) @ cells


def _rates(unit):
    if unit not in RATES:
        raise ValueError(f"unit must be one of {', '.join(RATES)}. Received: {unit!r}")
    return RATES[unit]


def _texts(texts):
    return [" ".join(text.split()) for text in texts]


def _counts(aligned):
    """Substitutions, deletions, insertions and reference length of each utterance, (utterances, 4)."""
    counts = np.zeros((len(aligned.references), 4), int)
    columns = {"substitute": 0, "delete": 1, "insert": 2}
    for row, reference, chunks in zip(counts, aligned.references, aligned.alignments, strict=True):
        row[3] = len(reference)
        for chunk in chunks:
            if chunk.type in columns:
                row[columns[chunk.type]] += max(_sizes(chunk))
    return counts


def _sizes(chunk):
    return chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx


def _edits(counts):
    return counts[:, :3].sum(axis=1)


def _rate(counts):
    return float(_edits(counts).sum() / max(counts[:, 3].sum(), 1))


def _pairs(aligned):
    result = []
    for reference, hypothesis, chunks in zip(aligned.references, aligned.hypotheses, aligned.alignments, strict=True):
        pairs = []
        for chunk in chunks:
            size = max(_sizes(chunk))
            said = reference[chunk.ref_start_idx : chunk.ref_end_idx] or [""] * size
            heard = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx] or [""] * size
            pairs += [(chunk.type, *pair) for pair in zip(said, heard, strict=True)]
        result.append(pairs)
    return result


def _confusions(aligned):
    """The most frequent: {"substitutions": [[said, heard, times], ...], "deletions": [[said, times], ...], ...}."""
    found = {"substitute": collections.Counter(), "delete": collections.Counter(), "insert": collections.Counter()}
    for pairs in _pairs(aligned):
        for kind, said, heard in pairs:
            if kind in found:
                found[kind][tuple(word for word in (said, heard) if word)] += 1
    names = {"substitutions": "substitute", "deletions": "delete", "insertions": "insert"}
    return {name: _most_common(found[kind]) for name, kind in names.items()}


def _most_common(counter):
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return [[*words, times] for words, times in ordered[:CONFUSIONS]]


def _by(names, counts):
    """{name: {"wer", "cer", "utterances"}}, in the order of the names, without what has none."""
    if names is None:
        return {}
    names = np.array(["" if name is None else str(name) for name in names])
    return {str(name): _part(names == name, counts) for name in np.unique(names) if name}


def _by_length(lengths, edges, unit, counts):
    places, result = np.digitize(lengths, edges), {}
    for place in np.unique(places):
        low, high = edges[place - 1], edges[place] if place < len(edges) else None
        if high is None:
            name = f"{low} {unit} and more"
        elif unit == "s":
            name = f"{low} to {high} s"
        else:
            name = f"{low} to {high - 1} {unit}" if high > low + 1 else f"{low} {unit[:-1] if low == 1 else unit}"
        result[name] = _part(places == place, counts)
    return result


def _part(chosen, counts):
    return {**{name: _rate(of[chosen]) for name, of in counts.items()}, "utterances": int(chosen.sum())}
