"""silero-vad: which frames of a recording are speech, by the small network that its package ships.

The network is rebuilt here on the weights of the package's default model, so that it hears a block of frames at a time.
Importing the package would hold torch to one thread from then on: only its file is read. (Its safetensors file holds
an older model.) Source of the architecture: silero-vad 6.2, MIT licence; a test holds both against each other.
"""

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from harness.audio.recording import RATE, Recording, read_stretch
from harness.core.errors import MissingExtraError, UserError
from harness.core.files import sha256_of
from harness.core.progress import Advance
from harness.segmentation.frames import Frames
from harness.segmentation.shas import samples_of
from harness.testsets.segments import Segment

if TYPE_CHECKING:
    from torch import Tensor

    from harness.segmentation.silero_model import SileroModel

FRAME = 512
"""Samples per frame."""
_BLOCK = 512 * FRAME
"""Samples that are read at a time: 16 s."""
_SPEECH = 0.5
"""The package's own default threshold."""
_BREATH = 0.3
"""Seconds."""
_WEIGHTS = Path("data") / "silero_vad.jit"


@dataclass(frozen=True)
class SileroFrameClassifier:
    """Hears recordings with silero-vad."""

    @cached_property
    def _path(self) -> Path:
        spec = find_spec("silero_vad")
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError("Voice activity detection", "silero-vad", "silero")
        path = Path(spec.submodule_search_locations[0]) / _WEIGHTS
        if not path.is_file():
            raise UserError("The installed silero-vad has no model in its package: install version 6.2 or newer.")
        return path

    @cached_property
    def identity(self) -> list[object]:
        """What its probabilities depend on beside the recording.

        Raises:
            MissingExtraError: silero-vad is not installed.
        """
        return ["silero", sha256_of(self._path), version("torch")]

    @cached_property
    def _model(self) -> "SileroModel":
        from harness.segmentation.silero_model import load_silero

        return load_silero(self._path)

    def units(self, recording: Recording) -> int:
        """Return how many blocks a recording takes."""
        return -(-samples_of(recording) // _BLOCK)

    def classify(self, recording: Recording, advance: Advance) -> Frames:
        """Return the probabilities of a recording's frames, at 31.25 per second.

        Raises:
            UserError: the recording breaks off.
        """
        import numpy as np
        import torch

        parts, state = [], None
        context: Tensor = torch.zeros(self._model.context)
        samples = samples_of(recording)
        for start in range(0, samples, _BLOCK):
            length = min(_BLOCK, samples - start)
            block = torch.from_numpy(read_stretch(recording, start / RATE, length / RATE)[:length])
            block = torch.nn.functional.pad(block, (0, -len(block) % FRAME))
            heard, state = self._model.classify(torch.cat([context, block]), state)
            context = block[-self._model.context :]
            parts.append(heard.double().numpy())
            advance(1)
        return Frames(np.concatenate(parts), RATE / FRAME)


def speech(recording: Recording, frames: Frames) -> tuple[Segment, ...]:
    """Return the stretches that are speech: frames from 0.5 up, joined over pauses shorter than a breath."""
    import numpy as np

    spoken = np.flatnonzero(frames.probabilities >= _SPEECH)
    if not len(spoken):
        return ()
    gaps = np.flatnonzero(np.diff(spoken) > _BREATH * frames.rate)
    starts, stops = spoken[[0, *(gaps + 1)]], spoken[[*gaps, len(spoken) - 1]] + 1
    edges = ((int(start) / frames.rate, int(stop) / frames.rate) for start, stop in zip(starts, stops, strict=True))
    ends = ((start, min(stop, recording.seconds)) for start, stop in edges)
    return tuple(Segment(recording.path.name, start, stop - start) for start, stop in ends)
