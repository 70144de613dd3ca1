"""Audio files: reading, inspecting, decoding in an isolated process."""
