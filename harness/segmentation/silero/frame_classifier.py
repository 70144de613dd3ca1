"""silero-vad frame probabilities: how likely each frame of a recording is speech.

The network is rebuilt here from the weights of the package's default model, so that it takes a block of frames at a
time. The package itself is not imported, since its import sets torch to one thread for the whole process; its
safetensors file is not used, since it holds an older model. Source of the architecture: silero-vad 6.2, MIT licence; a
test compares both.
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
from harness.segmentation.silero.model import CONTEXT, SileroModel, load_silero
from harness.testsets.segments import Segment

if TYPE_CHECKING:
    from torch import Tensor

FRAME = 512
"""Samples per frame."""
_BLOCK = 512 * FRAME
"""Samples that are read at a time: 16.4 s."""
_SPEECH = 0.5
"""Probability from which a frame is speech: the package's default."""
_PAUSE = 0.3
"""Seconds; shorter pauses do not end an interval of speech."""


@dataclass(frozen=True)
class SileroFrameClassifier:
    """Classifies frames with silero-vad."""

    @cached_property
    def _path(self) -> Path:
        spec = find_spec("silero_vad")
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError("Voice activity detection", "silero-vad", "silero")
        path = Path(spec.submodule_search_locations[0]) / "data" / "silero_vad.jit"
        if not path.is_file():
            raise UserError("The installed silero-vad has no model file: install version 6.2 or newer.")
        return path

    @cached_property
    def identity(self) -> list[object]:
        """Everything that determines the probabilities beside the recording.

        Raises:
            MissingExtraError: silero-vad is not installed.
        """
        return ["silero", sha256_of(self._path), version("torch")]

    @cached_property
    def _model(self) -> SileroModel:
        return load_silero(self._path)

    def units(self, recording: Recording) -> int:
        """Return the number of blocks of a recording."""
        return -(-recording.samples // _BLOCK)

    def classify(self, recording: Recording, advance: Advance) -> Frames:
        """Return the probabilities of a recording's frames, at 31.25 per second.

        Raises:
            UserError: the recording is truncated.
        """
        import numpy as np
        import torch

        parts, state = [], None
        context: Tensor = torch.zeros(CONTEXT)
        for start in range(0, recording.samples, _BLOCK):
            length = min(_BLOCK, recording.samples - start)
            block = torch.from_numpy(read_stretch(recording, start / RATE, length / RATE)[:length])
            block = torch.nn.functional.pad(block, (0, -len(block) % FRAME))
            found, state = self._model.classify(torch.cat([context, block]), state)
            context = block[-CONTEXT:]
            parts.append(found.double().numpy())
            advance(1)
        return Frames(np.concatenate(parts), RATE / FRAME)


def speech(recording: Recording, frames: Frames) -> tuple[Segment, ...]:
    """Return the intervals of speech: frames with probability 0.5 or more, joined across pauses of up to 0.3 s."""
    import numpy as np

    spoken = np.flatnonzero(frames.probabilities >= _SPEECH)
    if not len(spoken):
        return ()
    gaps = np.flatnonzero(np.diff(spoken) > _PAUSE * frames.rate)
    starts, stops = spoken[[0, *(gaps + 1)]], spoken[[*gaps, len(spoken) - 1]] + 1
    edges = ((int(start) / frames.rate, int(stop) / frames.rate) for start, stop in zip(starts, stops, strict=True))
    ends = ((start, min(stop, recording.seconds)) for start, stop in edges)
    return tuple(Segment(recording.path.name, start, stop - start) for start, stop in ends)
