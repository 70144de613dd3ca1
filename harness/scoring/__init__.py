"""Scorers: pure functions of texts; one module per metric."""
