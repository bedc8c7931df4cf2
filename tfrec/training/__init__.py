"""From a recognizer and a corpus to trained weights."""
