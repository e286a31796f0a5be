"""What every concept stands on: errors, ids, clock, settings, database, queues, log."""
