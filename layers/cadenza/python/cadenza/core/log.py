"""One structured logger a process: JSON lines whose message is an event's name and whose fields are ids.

Nothing personal goes in: no address, name, phone, IP or user agent, no body of a request or mail, no secret or token.
"""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools import Logger


@cache
def get_logger(service: str | None = None) -> Logger:
    """The logger of ``service``, by default of the running function (``POWERTOOLS_SERVICE_NAME``).

    A handler calls ``set_correlation_id`` with the id that its event carries; every line then has it, whichever
    module writes it. Usage: ``get_logger().info("crawl.reported", lead_id=str(lead_id))``.
    """
    return Logger(service=service, utc=True, use_rfc3339=True)
