"""Published data sets and folders, tables and videos of one's own, read as data sets."""
