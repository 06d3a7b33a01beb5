"""The `mien` command, one file a verb."""
