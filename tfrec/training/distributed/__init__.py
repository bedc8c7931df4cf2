"""Trainings on several devices and machines: what they are, how they start, and their loop."""
