"""Training recipes: TOML files and what they may say."""
