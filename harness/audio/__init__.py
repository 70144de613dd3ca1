"""Audio files: reading, inspecting, decoding in a process of their own."""
