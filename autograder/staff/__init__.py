"""What only staff has: it is no part of a handout."""
