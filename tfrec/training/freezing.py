"""Which parts of a network learn when.

Freezing: Yosinski et al. 2014, arXiv:1411.1792; gradual: Howard & Ruder 2018, arXiv:1801.06146.
"""

from pipelines.errors import UserError, unknown


def stages(fit, blocks):
    """[(first epoch, the epoch it ends before, names of frozen blocks)] of a FitConfig, for a backbone's `blocks`.

    UserError for a policy that is none, or names a block that there is not.
    """
    names = list(blocks)
    policy, _, block = fit.freeze.partition(":")
    if policy == "until" and block not in names:
        raise unknown("block in fit.freeze", block, names)
    if fit.freeze not in ("none", "backbone", "gradual") and policy != "until":
        raise UserError(f"fit.freeze must be none, backbone, gradual or until:BLOCK. Received: {fit.freeze}")
    steps = [(fit.head_epochs, names)] if fit.head_epochs else []
    if policy == "gradual":  # the block next to the head is the first to go
        head = fit.head_epochs or fit.unfreeze_epochs
        steps = [(head, names)]
        steps += [(fit.unfreeze_epochs, names[:count]) for count in range(len(names) - 1, 0, -1)]
        steps.append((fit.epochs, []))
    else:
        frozen = {"none": [], "backbone": names}.get(policy)
        steps.append((fit.epochs, names[: names.index(block) + 1] if frozen is None else frozen))
    result, start = [], 0
    for epochs, frozen in steps:
        end = min(start + epochs, fit.epochs)
        if start < end:
            result.append((start, end, tuple(frozen)))
        start = end
    return result


def freeze(blocks, frozen):
    """Makes the named blocks of a backbone stay as they are and the others learn.

    A frozen batch normalization also keeps its moving averages and normalizes by them, as in inference.
    """
    for name, layers in blocks.items():
        for layer in layers:
            layer.trainable = name not in frozen
