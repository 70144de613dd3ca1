"""The tests; they mirror harness/ and systems/."""
