"""The training loop: teacher-forced cross-entropy of the target tokens, by AdamW on the adapter's parameters."""

import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from harness.core.errors import UserError
from harness.core.progress import log
from harness.finetune.batches import ExampleSource, RowOrder
from harness.finetune.recipe import TrainingPrecision, TrainingSettings
from harness.finetune.state import Loss, RunFolder, load_state, save_state
from harness.inference.engine import Engine, require_audio_input
from harness.inference.prompting import Example, right_padded

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter
    from torch.optim import Optimizer

_SECONDS_BETWEEN_LINES = 5.0
_SEEDS_PER_RUN = 1 << 32


class InterruptedTrainingError(UserError):
    """The user stopped the training; the state after the last step was saved."""

    exit_code = 130


@dataclass(frozen=True)
class TrainingSession:
    """What a training loop works on.

    Attributes:
        engine: the model with its adapter.
        parameters: the adapter's parameters by name.
        folder: where state and losses are written.
    """

    engine: Engine
    parameters: Mapping[str, "Parameter"]
    source: ExampleSource
    training: TrainingSettings
    folder: RunFolder

    @property
    def steps(self) -> int:
        """Total number of steps."""
        return self.training.steps(len(self.source.rows))


def train(session: TrainingSession) -> tuple[Loss, ...]:
    """Train to the last step, from the last saved state where there is one, and return the losses of all steps.

    Raises:
        UserError: the loss became NaN or infinite, or a row's audio cannot be read.
        InterruptedTrainingError: Ctrl-C or SIGTERM; the state was saved.
    """
    import torch

    # Fused: one kernel call for the hundreds of small matrices of an adapter.
    optimizer = torch.optim.AdamW(
        session.parameters.values(), lr=0.0, weight_decay=session.training.weight_decay, fused=True
    )
    done = load_state(session.folder, session.parameters, optimizer)
    losses = session.folder.truncate_losses(done)
    if done:
        log(f"Continuing after step {done} of {session.steps}.")
    model = session.engine.model
    if session.training.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    order = RowOrder([row.duration for row in session.source.rows], session.training)
    progress_log = _ProgressLog(session.steps)
    with _stop_requests() as stopped:
        for step in range(done, session.steps):
            loss = _step(session, optimizer, step, order.step(step))
            session.folder.log(loss)
            losses.append(loss)
            progress_log.add(loss)
            _save_when_due(session, optimizer, step + 1, stopped)
    return tuple(losses)


def _save_when_due(session: TrainingSession, optimizer: "Optimizer", done: int, stopped: threading.Event) -> None:
    if stopped.is_set() or done % session.training.save_every == 0 or done == session.steps:
        save_state(session.folder, done, session.parameters, optimizer)
    if stopped.is_set() and done < session.steps:
        raise InterruptedTrainingError(
            f"Stopped after step {done} of {session.steps}: run the same command again to continue."
        )


def _step(session: TrainingSession, optimizer: "Optimizer", step: int, passes: Sequence[Sequence[int]]) -> Loss:
    """Take one optimiser step on the rows of one or more forward passes; every token has the same weight."""
    import torch

    training = session.training
    examples = [session.source.examples(indices) for indices in passes]
    tokens = sum(len(example.target) for batch in examples for example in batch)
    # Seeded by the step, so that a resumed run draws the same dropout without a saved generator state.
    torch.manual_seed(training.seed * _SEEDS_PER_RUN + step)
    total = sum(_backward(session, batch, tokens) for batch in examples)
    if not torch.isfinite(torch.tensor(total)):
        raise UserError(f"The loss is {total} at step {step + 1}: lower the recipe's learning rate and run it again.")
    torch.nn.utils.clip_grad_norm_(session.parameters.values(), training.max_grad_norm)
    rate = training.rate(step, session.steps)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad()
    return Loss(step + 1, total, tokens, rate)


def _backward(session: TrainingSession, examples: Sequence[Example], tokens: int) -> float:
    """Accumulate the gradients of a batch, and return its part of the mean loss over `tokens` tokens."""
    import torch

    engine = session.engine
    batch = right_padded(engine, examples)
    half = session.training.precision is TrainingPrecision.BFLOAT16
    device = torch.device(engine.device).type
    with require_audio_input(engine.model), torch.autocast(device, dtype=torch.bfloat16, enabled=half):
        logits = engine.model(**batch.arguments(), use_cache=False).logits
    loss = target_loss(logits, examples) / tokens
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())


def target_loss(logits: "Tensor", examples: Sequence[Example]) -> "Tensor":
    """Return the summed cross-entropy of all target tokens in nats; prompts and padding are excluded.

    The logits are those of the right-padded examples, shape (examples, tokens, vocabulary).
    """
    import torch

    rows = [row for row, example in enumerate(examples) for _ in example.target]
    # The prompt's last token predicts the first of the target.
    positions = [len(example.prompt) - 1 + number for example in examples for number in range(len(example.target))]
    expected = torch.tensor([token for example in examples for token in example.target], device=logits.device)
    return torch.nn.functional.cross_entropy(logits[rows, positions].float(), expected, reduction="sum")


@contextmanager
def _stop_requests() -> Iterator[threading.Event]:
    """Set an event on Ctrl-C and SIGTERM, so that the current step is finished; a second signal stops at once."""
    stopped = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        stopped.set()
        signal.signal(number, before[number])  # so that the next signal has its usual effect

    # Python allows signal handlers in the main thread only.
    is_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    before: dict[int, Any] = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _ProgressLog:
    """Logs the mean loss since the previous line every few seconds, and after the last step."""

    def __init__(self, steps: int) -> None:
        self._steps, self._last = steps, time.monotonic()
        self._losses: list[float] = []

    def add(self, loss: Loss) -> None:
        self._losses.append(loss.loss)
        seconds = time.monotonic() - self._last
        if seconds < _SECONDS_BETWEEN_LINES and loss.step < self._steps:
            return
        mean, pace = sum(self._losses) / len(self._losses), seconds / len(self._losses)
        log(f"step {loss.step} of {self._steps}: loss {mean:.4f}, learning rate {loss.learning_rate:.2e}, {pace:.2f} s")
        self._last, self._losses = time.monotonic(), []
