"""Foundations without domain knowledge: errors, files, checksums, progress, processes, archives."""
