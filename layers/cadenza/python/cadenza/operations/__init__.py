"""Running an installation: how it is, what lies in its dead-letter queues."""
