"""Text: normal form, vocabularies, n-gram models and what decoding does with them."""
