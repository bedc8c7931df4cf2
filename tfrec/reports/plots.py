"""Learning curves and confusion matrices as PNG."""

import matplotlib
import numpy as np

matplotlib.use("Agg")  # runs on servers without a screen

from matplotlib import pyplot as plt


def learning_curves(history, path):
    """Rows of {"epoch", "loss", "val_loss", ...} -> one panel for each quantity, training and validation together.

    What only validation measures, such as the error rate of texts, stands alone.
    """
    names = [name.removeprefix("val_") for name in history[0] if name.startswith("val_")]
    figure, axes = plt.subplots(1, len(names), figsize=(5 * len(names), 3.6), layout="constrained", squeeze=False)
    epochs = [row["epoch"] for row in history]
    for axis, name in zip(axes[0], names, strict=True):
        if name in history[0]:
            axis.plot(epochs, [row[name] for row in history], marker=".", color="C0", label="training")
        axis.plot(epochs, [row[f"val_{name}"] for row in history], marker=".", color="C1", label="validation")
        axis.set(xlabel="epoch", title=name)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        axis.legend()
    save(figure, path)


def confusion(matrix, class_names, path):
    """Counts (truth, answer) as a heat map, each row colored by its share; figures where they can be read."""
    matrix = np.asarray(matrix)
    classes = len(class_names)
    size = min(4 + 0.35 * classes, 24)
    figure, axis = plt.subplots(figsize=(size, size), layout="constrained")
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axis, shrink=0.7, label="share of the true class")
    axis.set(xlabel="answer", ylabel="truth", title="confusion matrix")
    step = max(1, classes // 50)  # more than 50 names cannot be read
    ticks = range(0, classes, step)
    axis.set_xticks(ticks, [class_names[i] for i in ticks], rotation=90)
    axis.set_yticks(ticks, [class_names[i] for i in ticks])
    if classes <= 30:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            color = "white" if share[row, column] > 0.5 else "black"
            axis.text(column, row, matrix[row, column], ha="center", va="center", color=color, fontsize=8)
    save(figure, path)


def scatter(pairs, path):
    """Pairs (truth, answer) of numbers as points, with the diagonal on which they agree."""
    pairs = np.asarray(pairs, "float64").reshape(-1, 2)
    figure, axis = plt.subplots(figsize=(5, 5), layout="constrained")
    axis.scatter(*pairs.T, s=8, alpha=0.6)
    axis.axline((0, 0), slope=1, color="gray", linewidth=1) if len(pairs) else None
    axis.set(xlabel="truth", ylabel="answer", title="predicted numbers")
    axis.grid(alpha=0.3)
    save(figure, path)


def save(figure, path):
    """Writes a figure as PNG and forgets it."""
    figure.savefig(path, dpi=120)
    plt.close(figure)
