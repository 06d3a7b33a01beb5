"""What becomes of a scene: pictures, records, video, text."""
