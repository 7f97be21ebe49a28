"""What a submission is worth: the hidden exercises and the grading of one submission."""
