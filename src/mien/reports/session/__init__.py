"""A page about a session."""
