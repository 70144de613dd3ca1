"""Calibration: what needs data or a running model is measured once and stored by its content key."""
