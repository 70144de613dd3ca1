"""The main job, and the order in which systems are built."""
