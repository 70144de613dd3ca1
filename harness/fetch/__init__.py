"""Fetching: data, models and checkpoints are downloaded once, verified by checksum and published whole."""

from harness.fetch.fetcher import Fetched, fetch

__all__ = ["Fetched", "fetch"]
