"""Validation of DecodeConfig."""

import pytest

from tfrec.decoding import DecodeConfig


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"width": 0}, "decode.width must be 1 or more"),
        ({"lm_weight": -1.0}, "decode.lm_weight must be 0 or more"),
        ({"lm_weight": float("inf")}, "decode.lm_weight must be 0 or more"),
        ({"unknown_penalty": float("nan")}, "decode.unknown_penalty must be 0 or more"),
        ({"word_bonus": float("nan")}, "decode.word_bonus must be finite"),
        ({"length_penalty": -0.1}, "decode.length_penalty must be 0 or more"),
        ({"min_log_prob": 0.0}, "decode.min_log_prob must be below 0"),
        ({"ctc_weight": 1.1}, "decode.ctc_weight must be 0 to 1"),
        ({"max_length": 0}, "decode.max_length must be 1 or more"),
        ({"lm": "lm.arpa", "method": "greedy"}, "decode.lm needs decode.method beam"),
        ({"lm": "lm.arpa", "method": "attention"}, "decode.lm needs decode.method beam"),
    ],
)
def test_rejects_wrong_settings(wrong, rule):
    with pytest.raises(ValueError, match=rule):
        DecodeConfig(**wrong)


def test_resolved_method():
    assert DecodeConfig().resolved == "greedy"
    assert DecodeConfig(width=32).resolved == "beam"
    assert DecodeConfig(lm="lm.arpa").resolved == "beam"
    assert DecodeConfig(method="attention").resolved == "attention"
