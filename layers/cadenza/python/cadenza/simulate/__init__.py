"""The plan simulator: the production state machine on a virtual clock, without a database."""
