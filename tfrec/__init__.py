"""tfrec trains recognisers for images and for speech, and hands them to TensorFlow Serving."""

import os
import sys

# Before TensorFlow is imported anywhere: its start-up lines tell a user nothing, and Keras must run on it.
_log_level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

__version__ = "0.1.0"

if sys.argv[:1] == ["-m"]:  # so it reads while Python looks for an entry point, `python -m tfrec.fit`
    from tfrec import startup

    startup.begin(quiet=_log_level == "3")
