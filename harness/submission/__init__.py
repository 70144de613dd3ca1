"""Submissions: manifest, condition, archive, description, check and re-scoring."""
