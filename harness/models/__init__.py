"""Base models: tensor names and shapes, architecture, checkpoints."""
