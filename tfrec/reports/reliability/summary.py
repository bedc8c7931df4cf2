"""The scores of a classifier in one sentence."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines import paths

SHOWN_ABSENT = 10  # classes without examples that are named


def caption(scores: Mapping[str, Any]) -> str:
    """Makes the caption of the table of classes.

    Args:
        scores: what `evaluate` of a classifier returned.

    Returns:
        Accuracy, macro F1 and calibration with their intervals, errors of detection, and what is missing.
    """
    low, high = scores["accuracy_interval"]
    f1_low, f1_high = scores["macro_f1_interval"]
    text = (
        f"accuracy {scores['accuracy']:.2%} (95 % interval {low:.2%} to {high:.2%}), macro F1 {scores['macro_f1']:.4f}"
    )
    text += f" ({f1_low:.4f} to {f1_high:.4f})"
    if "top5_accuracy" in scores:
        text += f", top-5 {scores['top5_accuracy']:.2%}"
    low, high = scores["calibration"]["ece_interval"]
    text += f"; calibration error {scores['calibration']['ece']:.2%} ({low:.2%} to {high:.2%})"
    if "detection" in scores:
        detected = scores["detection"]
        text += (
            f"; of {detected['rejected_examples']:,} examples to reject {detected['false_alarm_rate']:.1%} are"
            f" accepted, of the others {detected['miss_rate']:.1%} are rejected (equal error rate"
            f" {detected['equal_error_rate']:.1%})"
        )
    answered = np.flatnonzero(np.sum(scores["confusion"], axis=0))
    if len(answered) == 1 and sum(row["examples"] > 0 for row in scores["classes"]) > 1:
        text += f"; every answer is {paths.shown(scores['classes'][answered[0]]['label'])}"
    absent = [paths.shown(row["label"]) for row in scores["classes"] if not row["examples"]]
    if absent:
        more = f" and {len(absent) - SHOWN_ABSENT} more" if len(absent) > SHOWN_ABSENT else ""
        text += f"; classes without examples, left out of the means: {', '.join(absent[:SHOWN_ABSENT])}{more}"
    return text
