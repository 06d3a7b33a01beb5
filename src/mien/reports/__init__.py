"""Pages on sessions, evaluations, data sets and runs."""
