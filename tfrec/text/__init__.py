"""Text: normalization, and the vocabularies that turn transcripts into ids and back."""
