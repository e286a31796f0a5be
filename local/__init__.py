"""The whole system on one machine. Never shipped; everything binds to loopback."""
