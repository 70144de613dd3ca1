"""A harness for shared tasks on compressing speech-translation models."""

__version__ = "0.1.0"
