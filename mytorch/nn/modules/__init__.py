"""The layers, activations and losses, one kind per file."""
