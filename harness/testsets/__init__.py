"""Test sets: recordings, segments and references, and how they are loaded."""
