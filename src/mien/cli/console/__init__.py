"""What the verbs share: progress, problems, audiences, pages."""
