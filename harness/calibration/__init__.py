"""Measurements that need data or a running model, each made once and stored under its content key."""

from harness.calibration.awq import Awq, Prompts
from harness.calibration.sensitivity import Granularity, Sensitivity, least_sensitive

__all__ = ["Awq", "Granularity", "Prompts", "Sensitivity", "least_sensitive"]
