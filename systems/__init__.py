"""The systems of the papers, one module per paper."""
