"""Inference: loads artifacts, decodes batches of segments, and stores the hypotheses.

load.py              an artifact or a dense checkpoint as a model in memory; int8_layers.py: layers that stay coded
engine.py            a model with its processor
features.py          log-mel features of a segment; encoder_cache.py: outputs of the audio encoder by batch
prompting.py         prompts, targets and padded batches
decoding.py          greedy decoding of one batch; decode_mask.py and preallocated_kv_cache.py make its steps cheaper
request.py           what is to be translated and how; examples.py: its segments as input of the model
generate.py          from a request to stored hypotheses (hypothesis.py, generation_store.py)
output_flags.py      suspicious hypotheses: blank, repetitive, cut off, in the wrong script
"""
