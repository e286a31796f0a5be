"""May this person be written to? The one answer, as SQL for everybody who asks: the gate, planning, the API.

A suppression forbids an address in clear or by its fingerprint (an erased person's), a number likewise, and a domain
with all that lies under it. What goes in are SQL expressions of the asking statement, never values.
"""

from __future__ import annotations

from cadenza.core.states import Channel, ConsentBasis, ContactPolicy, EnrolmentStatus, SuppressionChannel
from cadenza.core.tables.base import literals


def forbids(*, workspace: str, channel: str, address: str) -> str:
    """The condition under which the suppression ``x`` forbids messages by ``channel`` (a `Channel`) to ``address``.

    Both branches are equalities with the columns of one unique index, so that a long list costs no more than a short
    one.
    """
    kind = (
        f"CASE {channel} WHEN '{Channel.EMAIL}' THEN '{SuppressionChannel.EMAIL}' ELSE '{SuppressionChannel.PHONE}' END"
    )
    return f"""
        x.workspace_id = {workspace} AND (
            (x.channel = {kind}
             AND x.address = ANY(ARRAY[lower({address}), fingerprint({workspace}, {kind}, {address})]))
            OR (x.channel = '{SuppressionChannel.DOMAIN}' AND x.address = ANY({_domains(address)})))
    """


def _domains(address: str) -> str:
    """The domain of the address and all that it is part of; none for a number."""
    return f"""ARRAY(
        SELECT array_to_string(l.labels[i:], '.')
        FROM string_to_array(split_part(lower({address}), '@', 2), '.') AS l(labels),
             generate_subscripts(l.labels, 1) AS i)
    """


def suppressed(k: str) -> str:
    """Whether the contact ``k`` may never be written to: by e-mail, or, who has no address, by telephone."""
    channel = f"CASE WHEN {k}.email IS NULL THEN '{Channel.SMS}' ELSE '{Channel.EMAIL}' END"
    rule = forbids(workspace=f"{k}.workspace_id", channel=channel, address=f"btrim(coalesce({k}.email, {k}.phone, ''))")
    return f"({k}.erased_at IS NOT NULL OR EXISTS (SELECT FROM suppressions x WHERE {rule}))"


def erased(*, workspace: str, channel: SuppressionChannel, address: str) -> str:
    """Whether ``address`` belonged to somebody whose data was erased. It must not be stored again."""
    return f"""EXISTS (
        SELECT FROM suppressions x
        WHERE x.workspace_id = {workspace} AND x.channel = '{channel}'
          AND x.address = fingerprint({workspace}, '{channel}', {address}))
    """


def refused(k: str) -> str:
    """Whether the workspace's policy for the country of the contact ``k`` asks for more consent than there is.

    A country that the policy does not name, or that is not known, is judged by its ``otherwise``; an empty policy
    refuses nobody.
    """
    return f"""coalesce((
        SELECT CASE coalesce(p.country_policy -> 'countries' ->> {k}.country, p.country_policy ->> 'otherwise')
                    WHEN '{ContactPolicy.REFUSED}' THEN true
                    WHEN '{ContactPolicy.NEEDS_OPT_IN}' THEN {k}.consent_basis <> '{ConsentBasis.OPT_IN}'
                    WHEN '{ContactPolicy.NEEDS_BASIS}' THEN {k}.consent_basis = '{ConsentBasis.NONE}' END
        FROM automation_settings p WHERE p.workspace_id = {k}.workspace_id), false)
    """


# The same rule from the other side: the open enrolments of whom these addresses, numbers and domains (:rows) are. Who
# can still be reached by e-mail is not halted by a number.
CONCERNED = f"""
    WITH x AS MATERIALIZED (
        SELECT DISTINCT channel, address
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(channel text, address text)
    ), met AS (
        SELECT k.id, true AS halts FROM x
        JOIN contacts k ON k.workspace_id = :workspace_id AND lower(k.email) = x.address
        WHERE x.channel = '{SuppressionChannel.EMAIL}'
        UNION ALL
        SELECT k.id, k.email IS NULL FROM x
        JOIN contacts k ON k.workspace_id = :workspace_id AND k.phone = x.address
        WHERE x.channel = '{SuppressionChannel.PHONE}'
        UNION ALL
        SELECT k.id, true FROM contacts k
        CROSS JOIN LATERAL unnest({_domains("k.email")}) AS d(domain)
        JOIN x ON x.address = d.domain AND x.channel = '{SuppressionChannel.DOMAIN}'
        WHERE k.workspace_id = :workspace_id
          AND EXISTS (SELECT FROM x WHERE x.channel = '{SuppressionChannel.DOMAIN}')
    )
    SELECT e.id, bool_or(met.halts) AS halts FROM met JOIN contact_campaigns e ON e.contact_id = met.id
    WHERE e.status IN ({literals(EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)})
    GROUP BY e.id ORDER BY e.id
"""
