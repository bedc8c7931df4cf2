"""The rules of TensorFlow Serving for a SavedModel's folder, checked without TensorFlow or Keras in this process."""
