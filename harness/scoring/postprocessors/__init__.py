"""Post-processors, one module each; every module here is found by the registry."""
