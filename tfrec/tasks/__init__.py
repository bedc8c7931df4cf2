"""The registry of tasks: what an answer means.

A task module offers `Config`, `OUTPUT_KIND` (that of its networks), `MODEL` (the one where none is named),
`labels(config, corpus)` (what it must know of a corpus, as JSON), `scores(config)` (names of the numbers that it
measures) and a class `Task` with:

- `Task(config, labels, counts)`: what it knows of the answers before training;
- `outputs`, the size of the architecture's last layer, and `class_names`, what those of them stand for that have names;
- `monitor`: what training can watch on the validation split -> "min" or "max";
- `describe()` and `doubts(corpus)` for the user, before training;
- `require_same(corpus, path)`: a UserError where a corpus does not fit what the run at `path` has learned;
- `targets(split)`: the split with what the network shall learn as each example's label, of any shape that `assemble`
  batches;
- `loss()` and `metrics()` for Keras, over the network's output and the targets; or `batch_loss(targets, outputs)` and
  `left_out(targets, outputs)` for a whole batch, and `validation(...)`, a callback that measures in Keras's place;
- `classifier(net)`: the Keras model that answers, `net` itself or one that looks at its input more than once;
- `answer(outputs)`: TensorFlow code from them to the named outputs of the export, which is also what `predict` shows;
- `measure(recognizer, split, batch_size)`: everything that `metrics.json` holds about a split, and what is `bulky`;
- `quality(recognizer, split, batch_size, name)`: how each example does by one of the `scores`;
- `report(scores, title)` and `plots(scores, folder)`: the same for people.
"""

from pipelines.errors import UserError, unknown
from tfrec.tasks import classification, transcription

TASKS = {"classify": classification, "transcribe": transcription}


def default_config(name):
    """The defaults of a task; UserError for an unknown name."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name].Config()


def labels(config, corpus):
    """What the task must know of a corpus, as JSON; UserError where the corpus is for another task."""
    return TASKS[config.name].labels(config, corpus)


def require_labels(config, stored, path):
    """UserError where `stored`, from the file at `path`, is not what `labels` gives."""
    try:
        TASKS[config.name].require_labels(stored)
    except UserError as error:
        raise UserError(f"{path} is damaged: {error}") from error


def scores(config):
    """Names of the single numbers that a task measures on a split, the usual one first."""
    return TASKS[config.name].scores(config)


def output_kind(config):
    """The kind of output that a task needs of its network: "vector" or "sequence"."""
    return TASKS[config.name].OUTPUT_KIND


def model(name):
    """The architecture of a task where none is named."""
    return TASKS[name].MODEL


def build(config, labels, counts=None):
    """The task of a config; `labels` are those of `labels`, `counts` the number of training examples of each class.

    UserError for labels that are damaged.
    """
    return TASKS[config.name].Task(config, labels, counts)
