"""What tests of tasks without labels expect of a supervised network that starts from what they have learned."""

import numpy as np

from tfrec.pretrained import pretrained_weights, transfer


def assert_starts_from(learned, network, config, class_names):
    """The network has all weights of the learned one but those of its own head, which it says.

    Args:
        learned: the network that has learned without labels; the config names its run as the pretrained weights.
        network: the supervised one; the weights are loaded into it.
        config: its configuration.
        class_names: its classes.
    """
    notes = transfer.load(pretrained_weights.find(config), network, config, class_names)
    assert "randomly initialized: 'logits'" in notes[0]
    for layer in [layer for layer in network.layers if layer.weights and layer.name != "logits"]:
        for one, two in zip(learned.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)
