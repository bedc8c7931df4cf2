"""The loss of transcribers: CTC, of one layer or of two, and the cross-entropy of a decoder."""

from __future__ import annotations

from typing import Any

from keras import ops

from tfrec.decoding import ctc


def of_batch(config: Any, outputs: Any, targets: Any, count: Any) -> Any:
    """Computes the loss of a batch.

    Args:
        config: the task's settings.
        outputs: "logits" and "steps", and where the network has them "intermediateN", of each block N, and "decoder".
        targets: token ids (batch, length), padded with 0.
        count: the number of texts that CTC's loss is the mean of.

    Returns:
        The loss in nats; the decoder's is the mean over all texts.
    """
    losses, decoder = _parts(config, outputs, targets)
    loss = ops.sum(losses) / count
    return loss if decoder is None else config.ctc_share * loss + (1 - config.ctc_share) * ops.mean(decoder)


def of_examples(config: Any, outputs: Any, targets: Any) -> Any:
    """Computes the loss of each text, float32 (batch,); see `of_batch`."""
    losses, decoder = _parts(config, outputs, targets)
    return losses if decoder is None else config.ctc_share * losses + (1 - config.ctc_share) * decoder


def _parts(config: Any, outputs: Any, targets: Any) -> tuple[Any, Any]:
    """(CTC's losses, the decoder's losses or None), (batch,) each."""
    losses, _ = ctc.losses(outputs["logits"], outputs["steps"], targets)
    if between := [outputs[name] for name in sorted(outputs) if name.startswith("intermediate")]:
        share = config.intermediate_share
        intermediate = [ctc.losses(logits, outputs["steps"], targets)[0] for logits in between]
        losses = (1 - share) * losses + share * sum(intermediate) / len(intermediate)
    decoder = _cross_entropy(config, targets, outputs["decoder"]) if "decoder" in outputs else None
    return losses, decoder


def _cross_entropy(config: Any, targets: Any, logits: Any) -> Any:
    classes = logits.shape[-1]
    expected = ops.one_hot(ops.cast(targets, "int32"), classes) * (1 - config.label_smoothing)
    expected = expected + config.label_smoothing / classes
    losses = -ops.sum(expected * ops.log_softmax(ops.cast(logits, "float32")), axis=-1)
    lengths = ops.sum(ops.cast(targets != 0, "int32"), axis=1, keepdims=True) + 1  # and the end
    inside = ops.arange(ops.shape(targets)[1], dtype="int32")[None] < lengths
    return ops.sum(ops.where(inside, losses, 0.0), axis=1)
