"""tfrec trains recognizers for images and for speech, and exports them to TensorFlow Serving."""

import logging
import os

# Before TensorFlow is imported anywhere: its log lines do not concern a user, and Keras must run on it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

# The program that imports these packages decides where their messages go; without a handler Python prints warnings.
for _name in ("tfrec", "pipelines", "tuning"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

__version__ = "0.1.0"
