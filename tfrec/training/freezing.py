"""Which parts of a network are trained in which epochs.

Freezing: Yosinski et al. 2014, arXiv:1411.1792; gradual: Howard & Ruder 2018, arXiv:1801.06146.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pipelines.errors import UserError, unknown
from tfrec.config.schema import FitConfig


def stages(fit: FitConfig, blocks: Mapping[str, Sequence[Any]]) -> list[tuple[int, int, tuple[str, ...]]]:
    """The stages of a training.

    Args:
        fit: the settings, of which `freeze`, `unfreeze_epochs`, `head_epochs` and `epochs` decide.
        blocks: the backbone's layers by block, from the input on.

    Returns:
        For each stage its first epoch, the epoch before which it ends, and the names of the frozen blocks.

    Raises:
        UserError: for an unknown policy or block.
    """
    names = list(blocks)
    policy, _, block = fit.freeze.partition(":")
    if policy == "until" and block not in names:
        raise unknown("block in fit.freeze", block, names)
    if fit.freeze not in ("none", "backbone", "gradual") and policy != "until":
        raise UserError(f"fit.freeze must be none, backbone, gradual or until:BLOCK. Received: {fit.freeze}")
    steps: list[tuple[int, list[str]]] = [(fit.head_epochs, names)] if fit.head_epochs else []
    if policy == "gradual":  # the block next to the head is unfrozen first
        head = fit.head_epochs or fit.unfreeze_epochs
        steps = [(head, names)]
        steps += [(fit.unfreeze_epochs, names[:count]) for count in range(len(names) - 1, 0, -1)]
        steps.append((fit.epochs, []))
    else:
        policies: dict[str, list[str]] = {"none": [], "backbone": names}
        steps.append((fit.epochs, policies[policy] if policy in policies else names[: names.index(block) + 1]))
    result, start = [], 0
    for epochs, frozen in steps:
        end = min(start + epochs, fit.epochs)
        if start < end:
            result.append((start, end, tuple(frozen)))
        start = end
    return result


def freeze(blocks: Mapping[str, Sequence[Any]], frozen: Collection[str]) -> None:
    """Freezes the named blocks of a backbone and makes the others trainable.

    A frozen batch normalization also keeps its moving averages and normalizes by them, as in inference.
    """
    for name, layers in blocks.items():
        for layer in layers:
            layer.trainable = name not in frozen


def warnings(fit: FitConfig, model: Any) -> list[str]:
    """Sentences on weights that are frozen though nothing has trained them.

    Args:
        fit: the settings.
        model: the settings of the architecture.
    """
    if model.is_pretrained or fit.freeze in ("none", "gradual"):
        return []
    return [
        f"fit.freeze {fit.freeze} keeps the random initial weights of the backbone, so that only the head learns:"
        " leave it out, or name trained weights by model.weights."
    ]
