"""Makes the embedded demo: a trained miniature Qwen2-Audio and a corpus of synthetic speech.

``python -m demo all --work DIR --out data/demo`` regenerates ``data/demo``.
"""
