"""No post-processing: translations are scored as they were generated."""

from harness.scoring.postprocess import postprocessor


@postprocessor("none", version=0)
def keep(text: str, _target: str) -> str:
    """Return the text unchanged."""
    return text
