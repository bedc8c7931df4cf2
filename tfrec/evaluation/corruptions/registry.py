"""All corruptions by name."""

from collections.abc import Iterable

from pipelines.errors import unknown
from tfrec.evaluation.corruptions import blur, digital, extra, noise, weather
from tfrec.evaluation.corruptions.base import Corruption

# The 15 of CIFAR-10-C and ImageNet-C, in the order of the paper.
BENCHMARK: dict[str, Corruption] = {
    **noise.CORRUPTIONS,
    **blur.CORRUPTIONS,
    **weather.CORRUPTIONS,
    **digital.CORRUPTIONS,
}
EXTRA: dict[str, Corruption] = extra.CORRUPTIONS
CORRUPTIONS: dict[str, Corruption] = {**BENCHMARK, **EXTRA}


def select(names: Iterable[str]) -> dict[str, Corruption]:
    """Returns the corruptions of these names, in the registry's order; raises UserError for an unknown name."""
    chosen = set(names)
    for name in sorted(chosen):
        if name not in CORRUPTIONS:
            raise unknown("corruption", name, CORRUPTIONS)
    return {name: corruption for name, corruption in CORRUPTIONS.items() if name in chosen}
