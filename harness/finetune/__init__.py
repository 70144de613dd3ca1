"""LoRA adaptation of a Qwen2-Audio checkpoint to speech translation, merged back into a normal checkpoint.

recipe.py        hyper-parameters, as data
data.py          the training manifest, checked row by row
features.py      log-mel features of training rows, cached on disk
batches.py       the rows of each step, as input of the model
adapter.py       the model with its LoRA adapter
state.py         saved states and the log of losses
loop.py          the training loop
merge.py         base and adapter merged into a checkpoint
training_run.py  `finetune`: the whole run, resumable
corpora/         training manifests from released corpora
"""

from harness.finetune.recipe import FinetuneRecipe, load_recipe
from harness.finetune.training_run import FinetuneRequest, FinetuneResult, finetune

__all__ = ["FinetuneRecipe", "FinetuneRequest", "FinetuneResult", "finetune", "load_recipe"]
