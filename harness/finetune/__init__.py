"""LoRA adaptation of a Qwen2-Audio checkpoint to speech translation, merged back into a normal checkpoint.

    recipe.py    what to do, as data
    data.py      the manifest of training rows, checked row by row
    features.py  audio -> log-mel features, computed once and kept on disk
    batches.py   which rows a step trains on, and how they become tensors
    adapter.py   the model with its LoRA adapter; the adapter alone as named tensors
    state.py     what a killed run needs to go on, and the log of losses
    loop.py      the optimiser's steps
    merge.py     base + adapter -> a checkpoint like any other
    verb.py      `finetune`: all of it, resumable and published whole

Nothing heavy is imported until a verb runs.
"""

from harness.finetune.recipe import FinetuneRecipe, load_recipe
from harness.finetune.training_run import FinetuneRequest, FinetuneResult, finetune

__all__ = ["FinetuneRecipe", "FinetuneRequest", "FinetuneResult", "finetune", "load_recipe"]
