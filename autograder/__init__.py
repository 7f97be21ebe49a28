"""The autograder: exercises, the checks that mark them, and the runner that students call."""
