"""Campaign lifecycle, enrolment, settings, the job ledger and reports."""
