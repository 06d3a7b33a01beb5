"""A data set as a page."""
