"""Reading untrusted archives."""
