"""Fetching: data, models and checkpoints, downloaded once, checked by their sums, and never half there."""

from harness.fetch.verb import Fetched, fetch

__all__ = ["Fetched", "fetch"]
