"""What mien draws itself: faces, hands and people, for the demo and the tests."""
