"""A name server on loopback, for tests of who asks one."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[str, Mapping[str, str] | dns.rcode.Rcode | None]
"""By name: its records by type, an error, or None for no answer at all. Names that are not there do not exist."""


class NameServer(socketserver.ThreadingUDPServer):
    """Answers from ``zone``; ``asked`` lists the questions so far."""

    daemon_threads = True

    def __init__(self, zone: Zone) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.zone = zone
        self.asked: list[tuple[str, str]] = []

    @property
    def port(self) -> int:
        """The UDP port it listens on."""
        return int(self.server_address[1])


class _Answering(socketserver.BaseRequestHandler):
    server: NameServer

    def handle(self) -> None:
        query = dns.message.from_wire(self.request[0])
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.server.asked.append((name, kind))
        known = self.server.zone.get(name, dns.rcode.NXDOMAIN)
        if known is None:
            return
        answer = dns.message.make_response(query, recursion_available=True)
        if isinstance(known, dns.rcode.Rcode):
            answer.set_rcode(known)
        elif kind in known:
            answer.answer.append(dns.rrset.from_text(question.name, 300, "IN", kind, *known[kind].split(";")))
        self.request[1].sendto(answer.to_wire(), self.client_address)


@contextmanager
def name_server(zone: Zone) -> Iterator[NameServer]:
    """A name server for a block."""
    with NameServer(zone) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
