"""Who sends on this machine: a company that does not exist, with an offer."""

from __future__ import annotations

from typing import Final

SENDER: Final = {
    "name": "Nora Lindqvist",
    "email": "nora@tidewater-routing.example",
    "company": "Tidewater Routing (fictional)",
    "postal_address": "Tidewater Routing, Quay 7, 12345 Harbour Town",
}
OFFER: Final = {
    "offering": "We plan delivery routes for small fleets. Most teams save a few hours of driving a week with them.",
    "goal": "a short first conversation",
    "link": "https://tidewater-routing.example/how-it-works",
}
