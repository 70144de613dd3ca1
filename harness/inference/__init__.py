"""Inference: artifacts as models that run, what they hear, how they are asked, and what they say.

load.py              an artifact, or a dense checkpoint, as a model in memory; int8_layers.py: layers that stay coded
engine.py            a model with its processor, loaded on first use
features.py          what it hears of a segment; heard.py: what its audio tower made of a batch
prompting.py         prompts, targets and padded batches
decoding.py          one batch, greedily; step_mask.py and roomy_cache.py make its steps light
generate.py          the verb: from a request (request.py) to stored translations (generation_store.py)
reading.py           segments of a request as examples
"""
