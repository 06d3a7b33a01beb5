"""Published data sets, and your own folders, tables and videos, read as data sets."""
