"""Test sets: recordings, segments and references, read and checked."""
