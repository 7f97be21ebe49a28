"""The staff's part of the autograder, which is never in a handout."""
