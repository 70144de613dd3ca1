"""Fine-tuning recipes: the published values, the schedules, and what is refused."""

from pathlib import Path

import pytest
import torch
from transformers import get_scheduler

from harness.core import manifests
from harness.core.errors import UserError
from harness.finetune import load_recipe
from harness.finetune.recipe import Schedule, TrainingPrecision
from tests.helpers.finetuning import with_training


def test_published_values() -> None:
    """Forbids other values than those of the first paper's Table 7, typed here from the paper."""
    recipe = load_recipe("diet-kit")
    training = recipe.training
    assert (recipe.lora.rank, recipe.lora.alpha, recipe.lora.dropout) == (64, 128, 0.05)
    assert (training.epochs, training.batch_size, training.gradient_accumulation) == (3.0, 8, 1)
    assert (training.learning_rate, training.warmup_ratio, training.save_every) == (1e-6, 0.03, 2000)
    assert (training.precision, training.gradient_checkpointing) == (TrainingPrecision.BFLOAT16, True)
    assert (training.seed, training.max_steps, training.schedule) == (42, None, Schedule.LINEAR)
    assert recipe.prompt == "<|audio_bos|><|AUDIO|><|audio_eos|>Translate this speech to {target_lang}: \n"
    assert len(recipe.languages) == 11


@pytest.mark.parametrize("name", manifests.names("finetune"))
def test_every_recipe_reads(name: str) -> None:
    """Forbids a shipped recipe that cannot be read, or with another name than its file's."""
    assert load_recipe(name).name == name


@pytest.mark.parametrize("schedule", list(Schedule))
def test_schedule_is_that_of_transformers(schedule: Schedule) -> None:
    """Forbids a learning rate that differs from transformers' scheduler at any of 40 steps, 4 of them warm-up."""
    training = with_training(schedule=schedule, max_steps=40, learning_rate=0.5).training
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    name = "constant_with_warmup" if schedule is Schedule.CONSTANT else str(schedule)
    reference = get_scheduler(name, optimizer, num_warmup_steps=4, num_training_steps=40)
    for step in range(40):
        assert training.rate(step, 40) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        reference.step()


def test_number_of_steps() -> None:
    """Forbids miscounted steps: 25 rows in batches of 4, two to a step, are 4 steps an epoch (8 + 8 + 8 + 1 rows)."""
    training = with_training(batch_size=4, gradient_accumulation=2, max_steps=None, epochs=2.5).training
    assert training.steps_per_epoch(25) == 4
    assert training.steps(25) == 10
    assert with_training(max_steps=7).training.steps(25) == 7


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("rank = 64", "rank = 0", "rank"),
        ("seed = 42", "seed = 42\nsede = 1", "sede"),
        ("epochs = 3", "epochs = 3\nmax_steps = 5", "either training.epochs or training.max_steps"),
        ("epochs = 3\n", "", "either training.epochs or training.max_steps"),
        ('"attention", "mlp"', '"norm"', "linear layers"),
        ('"attention", "mlp"', '"everything"', "everything"),
        ("{target_lang}", "German", "{target_lang}"),
        ("format_version = 1", "format_version = 2", "upgrade the harness"),
    ],
)
def test_refused_recipes(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """Forbids that a wrong value, a misspelt key or a contradiction in a recipe is accepted."""
    text = manifests.find("finetune", "diet-kit").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "broken.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError, match=r"broken\.toml") as caught:
        load_recipe(str(path))
    assert sentence in str(caught.value)


def test_remarks_do_not_make_another_run() -> None:
    """Forbids that another interval of saving or another note starts a new run, and that a real change does not."""
    recipe = with_training()
    assert with_training(save_every=1, note="often").without_remarks() == recipe.without_remarks()
    assert with_training(seed=8).without_remarks() != recipe.without_remarks()
