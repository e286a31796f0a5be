"""The plan model, its compiler, and the planners that write plans."""
