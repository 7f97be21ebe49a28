"""Marks of a submission: the hidden exercises, and the grading of one submission."""
