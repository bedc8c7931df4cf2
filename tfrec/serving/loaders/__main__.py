"""Answers of a SavedModel: `python -m tfrec.serving.loaders LOADER SAVED_MODEL REQUESTS WARMUP ANSWERS`.

LOADER is a module of this package; answers to the warm-up requests are not kept. `import tensorflow` imports Keras
where it finds it, so that Keras is blocked first: what answers here has no custom layer and no registered object.
"""

import importlib
import os
import sys

from tfrec.serving.loaders import stored


def main(loader: str, saved_model: str, requests: str, warmup: str, answers: str) -> int:
    """Runs every request and writes the outputs; returns 1 where one fails."""
    sys.modules["keras"] = None  # type: ignore[assignment]  # an import of it raises ImportError
    results, where = {}, "cannot be loaded"
    try:
        model = importlib.import_module(f"tfrec.serving.loaders.{loader}").open_saved_model(saved_model)
        for (number, signature), inputs in stored.read_requests(requests).items():
            where = f"request {number}, of the signature {signature}, fails"
            for name, value in model(signature, inputs).items():
                results[f"{number}/{name}"] = value
        for (number, signature), inputs in stored.read_requests(warmup).items():
            where = f"warm-up request {number}, of the signature {signature}, fails"
            model(signature, inputs)
    except Exception as error:
        print(f"{where}: {' '.join(str(error).split())[:500]}", file=sys.stderr)
        return 1
    stored.write_answers(answers, results)
    return 0


if __name__ == "__main__":
    status = main(*sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # OpenVINO crashes when it frees strings
