"""Archives that come from elsewhere, read without trust."""
