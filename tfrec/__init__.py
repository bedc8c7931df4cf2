"""tfrec trains recognizers for images and for speech, and hands them to TensorFlow Serving."""

import os

# Before TensorFlow is imported anywhere: its start-up lines tell a user nothing, and Keras must run on it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

__version__ = "0.1.0"
