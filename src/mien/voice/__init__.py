"""What mien says: responses, engines, prompts."""
