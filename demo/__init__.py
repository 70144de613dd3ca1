"""Makes the embedded demo: a trained miniature Qwen2-Audio and a spoken corpus.

``python -m demo all --work DIR --out data/demo`` regenerates ``data/demo``.
"""
