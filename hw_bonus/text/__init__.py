"""Text: names invented letter by letter, and sentences sorted into classes."""
