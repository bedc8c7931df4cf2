"""Settings of decoding: how a network's outputs become texts."""

import dataclasses
import math
from typing import Any, Literal


@dataclasses.dataclass(frozen=True)
class DecodeConfig:
    """How a network's outputs are decoded to texts."""

    method: Literal["auto", "greedy", "beam", "attention"] = "auto"  # auto: beam where lm or width is set, else greedy
    width: int = 16  # beam width: hypotheses kept at each step
    lm: str | None = None  # ARPA file of an n-gram language model for beam search
    lm_weight: float = 0.5  # weight of the language model's log-probability; CTC's has weight 1
    word_bonus: float = 2.0  # nats added for each word; for each character if the language model is of characters
    unknown_penalty: float = 20.0  # nats; the language model scores an unknown word as -unknown_penalty
    min_log_prob: float = -7.0  # with a language model: symbols with a lower log-probability at a step are skipped
    length_penalty: float = 0.0  # exponent of attention's length normalization; 0.6 to 0.7 is usual, 0 is off
    ctc_weight: float = 0.3  # weight of CTC in attention's beam search, where the network has both
    max_length: int | None = None  # maximum symbols of a text decoded by attention; None: one for each step

    def __post_init__(self) -> None:
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
    def resolved(self) -> Literal["greedy", "beam", "attention"]:
        """The method that "auto" selects: beam where its width or a language model is set, otherwise greedy."""
        if self.method != "auto":
            return self.method
        return "beam" if self.lm is not None or self.width != DecodeConfig.width else "greedy"


def _check(condition: bool, rule: str, received: Any) -> None:
    if not condition:
        raise ValueError(f"decode.{rule}. Received: {received}")
