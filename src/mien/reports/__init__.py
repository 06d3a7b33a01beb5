"""Pages about sessions, evaluations, data sets and runs."""
