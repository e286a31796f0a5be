"""The state machine: `decide` and `schedule` are pure, `apply` is their SQL."""
