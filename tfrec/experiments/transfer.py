"""Does a network that knows five classes of CIFAR-10 learn the other five from 50 pictures each?

`cifar10_first_five` trains a small ResNet on five classes, `cifar10_other_five` on 50 images of each of the others,
from random weights or from those, with more or less of the network frozen (Yosinski et al. 2014, arXiv:1411.1792). The
seed decides the weights, the order, the augmentation, and which 50 images; the test is the 5,000 test images of the
five.

`python -m tfrec.study transfer`: TO BE MEASURED
"""

from tfrec.studying import Step

POLICIES = {
    "pre-trained, nothing frozen": [],
    "pre-trained, backbone frozen": ["--fit.freeze", "backbone"],
    "pre-trained, frozen until stage2": ["--fit.freeze", "until:stage2"],
    "pre-trained, freed gradually": ["--fit.freeze", "gradual", "--fit.unfreeze_epochs", "5"],
    "pre-trained, head first, then all with a slow backbone": ["--fit.head_epochs", "10", "--fit.backbone_rate", "0.3"],
}
BASELINE = "random weights"


def steps(seeds, runs):
    """The trainings, in order; `runs` is the folder of their runs."""
    result = []
    for seed in map(str, seeds):
        source = f"first-five-{seed}"
        result.append(Step(source, None, ("cifar10_first_five", "--seed", seed)))
        start = ("cifar10_other_five", "--seed", seed, "--data.split_seed", seed)
        result.append(Step(f"random-{seed}", BASELINE, start))
        for number, (policy, words) in enumerate(POLICIES.items()):
            words = (*start, "--model.weights", str(runs / source), *words)
            result.append(Step(f"transfer{number}-{seed}", policy, words))
    return result
