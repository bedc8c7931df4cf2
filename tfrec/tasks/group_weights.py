"""Settings of a training that weighs groups of examples, such as speakers, by how badly they are recognized."""

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class GroupWeights:
    """What tasks whose loss is one of single examples have in their settings."""

    # worst: train against the group with the highest loss (group DRO, arXiv:1911.08731), at some cost on average
    group_weights: Literal["none", "worst"] = "none"
    group_column: str = "speaker"  # column of the data with each example's group, as in `tfrec evaluate --groups`
    group_step: float = 0.01  # how fast the weights of the groups follow their losses, per step and nat
    group_adjustment: float = 0.0  # added to a group's loss over the root of its size: small groups generalize worse

    def __post_init__(self) -> None:
        if self.group_step <= 0:
            raise ValueError(f"task.group_step must be above 0. Received: {self.group_step}")
        if self.group_adjustment < 0:
            raise ValueError(f"task.group_adjustment must be 0 or more. Received: {self.group_adjustment}")
