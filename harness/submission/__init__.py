"""Submissions: archives for the campaign, their check, and scores of other teams' submissions.

manifest.py     which systems a team enters; condition.py: constrained or unconstrained, derived from provenance
archive.py      writes the archive of one entry; description.py: its description
publish.py      writes and checks the archives of all entries
check/          checks any archive against the task's rules
rescore.py      scores and ranks a folder of submissions
"""
