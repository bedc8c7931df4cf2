"""The registry of tasks: what an answer means.

A task module offers `Config` and a class `Task` with:

- `Task(config, class_names, counts)`: what it knows of the answers before training;
- `outputs`, the size of the architecture's last layer;
- `loss()` and `metrics()` for Keras, each over (batch, outputs) float32 logits and the targets of the dataset;
- `classifier(net)`: the Keras model that answers, `net` itself or one that looks at its input more than once;
- `answer(logits)`: TensorFlow code from logits to the named outputs of the export, which is also what `predict` shows;
- `score(logits, targets)`: everything that `metrics.json` holds about a split;
- `report(scores)` and `plots(scores, folder)`: the same for people.

`transcribe` and `retrieve` come as further modules: targets may be of any shape that `assemble` batches, and
an architecture may return several outputs, since only the task looks at them.
"""

from pipelines.errors import unknown
from tfrec.tasks import classify, transcribe

TASKS = {"classify": classify, "transcribe": transcribe}


def default_config(name):
    """The defaults of a task; UserError for an unknown name."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name].Config()


def labels(config, corpus):
    """What the task must know of a corpus, as JSON; UserError where the corpus is for another task."""
    return TASKS[config.name].labels(config, corpus)


def gives(config):
    """What the networks of a task put out: "classes" or "tokens"."""
    return TASKS[config.name].GIVES


def model(name):
    """The architecture of a task where none is named."""
    return TASKS[name].MODEL


def build(config, labels, counts=None):
    """The task of a config; `labels` are those of `labels`, `counts` the number of training examples of each class.

    UserError for labels that are damaged.
    """
    return TASKS[config.name].Task(config, labels, counts)
