"""Which parts of a picture or of a clip made a network answer what it answers."""

from collections.abc import Callable

import numpy as np

from tfrec.explanations.attention_rollout import attention_rollout
from tfrec.explanations.example import Example
from tfrec.explanations.grad_cam import grad_cam
from tfrec.explanations.integrated_gradients import integrated_gradients
from tfrec.explanations.occlusion import occlusion

# {name: from an Example to a map of relevance}
METHODS: dict[str, Callable[[Example], np.ndarray]] = {
    "grad_cam": grad_cam,
    "integrated_gradients": integrated_gradients,
    "attention_rollout": attention_rollout,
    "occlusion": occlusion,
}
