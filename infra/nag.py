"""Acknowledging a cdk-nag finding: beside the construct that causes it, with the reason, or not at all."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Accept findings of the AwsSolutions pack on ``construct`` and below. ``reasons``: rule id to reason."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason) for rule, reason in reasons.items())
    )
