"""A page about a batch."""
