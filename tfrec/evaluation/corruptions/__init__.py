"""Corruptions of pictures, and the scores of a recognizer on corrupted pictures."""
