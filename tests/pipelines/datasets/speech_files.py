"""Small files of speech corpora, written for tests."""

import numpy as np


def sphere(path, samples=1600, rate=16000, announced=None):
    """Writes a SPHERE file with a ramp."""
    fields = f"sample_count -i {announced or samples}\nsample_rate -i {rate}\nchannel_count -i 1\nsample_n_bytes -i 2\n"
    head = f"NIST_1A\n   1024\n{fields}sample_byte_format -s2 01\nend_head\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head.encode().ljust(1024) + np.linspace(0, 16384, samples).astype("<i2").tobytes())


def text(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def sizes(corpus):
    return {name: split.size for name, split in corpus.splits.items()}


def assert_transcribed(corpus, rate):
    """Asserts that every split of a Corpus of speech has texts, and durations that match its clips."""
    assert (corpus.modality, corpus.class_names, corpus.sample_rate_hz) == ("audio", (), rate)
    for split in corpus.splits.values():
        examples = list(split.examples.as_numpy_iterator())
        assert len(examples) == split.size == len(split.texts) == len(split.speakers) == len(split.sources)
        assert split.labels is None
        for example, seconds in zip(examples, split.seconds, strict=True):
            assert set(example) == {"audio"}
            assert example["audio"].dtype == np.float32
            assert abs(len(example["audio"]) - seconds * rate) < 1
