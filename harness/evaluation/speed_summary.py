"""What running a system costs, as evaluations state it."""

import msgspec


class SpeedSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What running a system costs; None where it was not measured.

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
