"""Fetching: data, models and checkpoints, downloaded once, checked by their sums, and never half there."""

from harness.fetch.fetcher import Fetched, fetch

__all__ = ["Fetched", "fetch"]
