"""What decides how the outputs of a network become texts."""

import dataclasses
import math
from typing import Literal


@dataclasses.dataclass(frozen=True)
class DecodeConfig:
    """From the outputs of a network to texts."""

    method: Literal["auto", "greedy", "beam", "attention"] = "auto"  # auto: beam if there is an lm, else greedy if CTC
    width: int = 16  # texts that a beam keeps at each step
    lm: str | None = None  # ARPA file of an n-gram language model for the beam
    lm_weight: float = 0.5  # of the language model's log-probability beside that of CTC
    word_bonus: float = 2.0  # nats for each word; for each character where the language model is over characters
    unknown_penalty: float = 20.0  # nats in place of the language model's for a word that it does not know
    min_log_prob: float = -7.0  # with a language model, symbols of a step below this log-probability are not tried
    length_penalty: float = 0.0  # exponent that favors long texts of attention; 0.6 to 0.7 is usual, 0 is off
    ctc_weight: float = 0.3  # of CTC in the beam of attention, where the network has both
    max_length: int | None = None  # most symbols that attention writes; None is one per step

    def __post_init__(self):
        _check(self.width >= 1, "width must be 1 or more", self.width)
        for field in ("lm_weight", "unknown_penalty", "length_penalty"):
            value = getattr(self, field)
            _check(math.isfinite(value) and value >= 0, f"{field} must be 0 or more", value)
        _check(math.isfinite(self.word_bonus), "word_bonus must be finite", self.word_bonus)
        _check(self.min_log_prob < 0, "min_log_prob must be below 0", self.min_log_prob)
        _check(0 <= self.ctc_weight <= 1, "ctc_weight must be 0 to 1", self.ctc_weight)
        if self.max_length is not None:
            _check(self.max_length >= 1, "max_length must be 1 or more", self.max_length)
        if self.lm is not None:
            _check(self.method in ("auto", "beam"), "lm needs decode.method beam", self.method)

    @property
    def resolved(self):
        """The method that "auto" stands for: a beam where its width or a language model is given, or else greedy."""
        if self.method != "auto":
            return self.method
        return "beam" if self.lm is not None or self.width != DecodeConfig.width else "greedy"


def _check(condition, rule, received):
    if not condition:
        raise ValueError(f"decode.{rule}. Received: {received}")
