import numpy as np
import pytest

from pipelines.layers.sequences import decaying_sum


@pytest.mark.parametrize("steps", [1, 2, 63, 64, 65, 128, 1000])
@pytest.mark.parametrize("decay", [0.0, 0.5, 0.975, 0.9999])
def test_decaying_sum(steps, decay):
    sequence = np.random.default_rng(1).uniform(0, 1, (2, steps, 3)).astype("float32")
    expected, last = [], np.zeros((2, 3))
    for t in range(steps):
        last = sequence[:, t] + decay * last
        expected.append(last)
    np.testing.assert_allclose(decaying_sum(sequence, decay), np.stack(expected, axis=1), rtol=1e-5)
