"""Grading of a class: keeps records and resumes where an earlier run was stopped."""
