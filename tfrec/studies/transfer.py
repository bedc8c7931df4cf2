"""Transfer between the classes of CIFAR-10: five classes learned from 50 images each, after training on the other five.

`cifar10_first_five` trains a small ResNet on five classes, `cifar10_other_five` on 50 images of each of the others,
from random weights or from those, with more or less of the network frozen (Yosinski et al. 2014, arXiv:1411.1792). The
seed decides the weights, the order, the augmentation, and which 50 images; the test split is the 5,000 test images of
the other five classes.

`python -m tfrec study transfer`, seeds 0, 1, 2; 27 minutes on two busy CPU cores, commit ae5230b; CIFAR-10 as JPEG
files of quality 75. Mean accuracy with Student's t interval at 95 % over the seeds, and the margin over random weights,
seed by seed:

    | training                                        | accuracy, %         | margin, points      |
    | ----------------------------------------------- | ------------------- | ------------------- |
    | random weights                                  | 64.8 (62.8 to 66.8) |                     |
    | pre-trained, nothing frozen                     | 75.8 (73.0 to 78.5) | 10.9 (8.0 to 13.9)  |
    | pre-trained, backbone frozen                    | 67.1 (64.0 to 70.3) | 2.3 (-2.6 to 7.2)   |
    | pre-trained, frozen until stage2                | 77.1 (75.0 to 79.3) | 12.3 (9.4 to 15.2)  |
    | pre-trained, unfrozen gradually                 | 78.3 (76.1 to 80.5) | 13.5 (9.7 to 17.2)  |
    | pre-trained, head first, then slow backbone     | 77.2 (76.0 to 78.3) | 12.3 (9.3 to 15.4)  |

The pre-trained networks reach 84.1, 84.1 and 83.8 % on their own five classes. Their features alone are not enough for
the other five (backbone frozen); freezing the early stages costs nothing and helps a little.
"""

import pathlib
from collections.abc import Sequence

from tfrec.studies import tables as study_tables
from tfrec.studies.study import Options, Step
from tfrec.studies.tables import Table

__all__ = ["ACCEPTS_FIT_FLAGS", "BASELINE", "POLICIES", "Options", "draw", "steps", "tables"]

ACCEPTS_FIT_FLAGS = False
BASELINE = "random weights"
POLICIES = {
    "pre-trained, nothing frozen": [],
    "pre-trained, backbone frozen": ["--fit.freeze", "backbone"],
    "pre-trained, frozen until stage2": ["--fit.freeze", "until:stage2"],
    "pre-trained, unfrozen gradually": ["--fit.freeze", "gradual", "--fit.unfreeze_epochs", "5"],
    "pre-trained, head first, then all with a slow backbone": ["--fit.head_epochs", "10", "--fit.backbone_rate", "0.3"],
}


def steps(options: Options, _: Sequence[str], runs: pathlib.Path) -> list[Step]:
    """Plans the pre-training, and for each policy a training on few images; see `Study.steps`."""
    result = []
    for seed in map(str, options.seeds):
        source = f"first-five-{seed}"
        result.append(Step(source, None, ("cifar10_first_five", "--seed", seed)))
        start = ("cifar10_other_five", "--seed", seed, "--data.split_seed", seed)
        result.append(Step(f"random-{seed}", BASELINE, start))
        for number, (policy, flags) in enumerate(POLICIES.items()):
            words = (*start, "--model.weights", str(runs / source), *flags)
            result.append(Step(f"transfer{number}-{seed}", policy, words))
    return result


def tables(folder: pathlib.Path, steps: Sequence[Step]) -> list[Table]:
    """Builds the table of accuracies and of their margins over random weights; see `Study.tables`."""
    title = f"Margins are over {BASELINE}, seed by seed."
    return [study_tables.margin_table(folder, steps, BASELINE, "transfer", title)]


def draw(folder: pathlib.Path, steps: Sequence[Step]) -> None:
    """Draws nothing; see `Study.draw`."""
