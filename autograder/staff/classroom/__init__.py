"""Grades the submissions of a class, keeps records, and goes on where it was stopped."""
