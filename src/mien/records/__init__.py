"""Where results go: JSON lines, CSV, Parquet, events, and back."""
