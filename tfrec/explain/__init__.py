"""Which parts of a picture or of a clip made a network answer what it answers."""

from collections.abc import Callable

import numpy as np

from tfrec.explain.attention_rollout import attention_rollout
from tfrec.explain.example import Example
from tfrec.explain.grad_cam import grad_cam
from tfrec.explain.integrated_gradients import integrated_gradients
from tfrec.explain.occlusion import occlusion

# {name: from an Example to a map of relevance}
METHODS: dict[str, Callable[[Example], np.ndarray]] = {
    "grad_cam": grad_cam,
    "integrated_gradients": integrated_gradients,
    "attention_rollout": attention_rollout,
    "occlusion": occlusion,
}
