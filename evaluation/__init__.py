"""How good the analyst and the planner are, measured on sample sites against a written truth. Never shipped."""
