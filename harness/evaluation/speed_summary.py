"""Time and memory of running a system, as stored in evaluations."""

import msgspec


class SpeedSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Time and memory of running a system; None where not measured.

    Attributes:
        seconds_per_item: seconds per segment when segments are translated one by one (batch 1).
        segments_per_second: throughput of the batched generation.
        peak_mib: peak memory in MiB.
        signature: machine, library versions and settings of the measurement.
    """

    seconds_per_item: float | None
    segments_per_second: float | None
    peak_mib: float | None
    signature: str
