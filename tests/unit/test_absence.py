"""Until when somebody is away: what five languages say, and what nobody can be sure of."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza.signals.absence import MAX_AWAY, away_until

SENT_ON = date(2026, 12, 20)
"""A Sunday."""

STATED = [
    ("I am out of the office until 5 January.", date(2027, 1, 5)),
    ("I'm out until January 5th, 2027 with no access to mail", date(2027, 1, 5)),
    ("I will be out of the office from 21 December until 4 January and will be back on 5 January.", date(2027, 1, 5)),
    ("I will be out of office from Dec 21 and will return on Jan 5.", date(2027, 1, 5)),
    ("I am on leave through 8 January 2027.", date(2027, 1, 9)),
    ("Ich bin bis einschließlich 05.01.2027 nicht im Büro.", date(2027, 1, 6)),
    ("Ich bin bis zum 05.01. nicht erreichbar.", date(2027, 1, 5)),
    (
        "Vielen Dank. Ich bin vom 21.12.2026 bis 05.01.2027 im Urlaub. Ab dem 6. Januar bin ich wieder für Sie da.",
        date(2027, 1, 6),
    ),
    ("Ich bin ab Montag, den 11. Januar 2027 wieder im Büro", date(2027, 1, 11)),
    ("Je suis absente jusqu'au 5 janvier 2027 inclus.", date(2027, 1, 6)),
    ("Je serai de retour le lundi 4 janvier.", date(2027, 1, 4)),
    ("Actuellement en congés du 21/12/2026 au 03/01/2027.", date(2027, 1, 3)),
    ("Estaré fuera de la oficina hasta el 7 de enero de 2027.", date(2027, 1, 7)),
    ("Estoy de vacaciones. Vuelvo el lunes.", date(2026, 12, 21)),
    ("Estarei ausente até 5 de janeiro de 2027.", date(2027, 1, 5)),
    ("Regresso no dia 4 de janeiro.", date(2027, 1, 4)),
    ("Estarei de volta na segunda-feira.", date(2026, 12, 21)),
    ("back on Monday 4 May", date(2027, 5, 4)),
    ("I'm back on Monday.", date(2026, 12, 21)),
    ("back tomorrow", date(2026, 12, 21)),
    ("Out of office. Returning 2027-01-05.", date(2027, 1, 5)),
    ("out of office 12/24 - 1/4, please call", date(2027, 1, 4)),
    ("I am out of the office until 01/05/2027", date(2027, 1, 5)),
    ("Absent du 20 au 27 décembre 2026", date(2026, 12, 27)),
    ("I will be back in the office on Tuesday, January 5.", date(2027, 1, 5)),
    ("Ich bin am 5.1.2027 wieder erreichbar", date(2027, 1, 5)),
    ("Ich bin am 05.01.27 wieder da.", date(2027, 1, 5)),
    ("retour le 1er février", date(2027, 2, 1)),
    ("zurück am Mittwoch, 6. Januar", date(2027, 1, 6)),
    ("Estoy fuera. Estaré de vuelta el 4/1/2027.", date(2027, 1, 4)),
    ("closed from 24 to 31 December", date(2026, 12, 31)),
    ("Wir haben Betriebsferien. Ab dem 7. Januar sind wir wieder erreichbar.", date(2027, 1, 7)),
    ("I'm away from the 21st to the 29th of December.", date(2026, 12, 29)),
    ("I am out of the office 22.12.2026 – 03.01.2027.", date(2027, 1, 3)),
    ("Je suis en congés. Retour prévu le 4 janv. 2027.", date(2027, 1, 4)),
    ("Ausente del 23 de diciembre al 6 de enero, ambos inclusive.", date(2027, 1, 7)),
    ("I am back on\nMonday, 4 January 2027.", date(2027, 1, 4)),
]
NOT_STATED = [
    "Ab dem 24.12. bin ich im Urlaub.",
    "I was away until 5 January 2026.",
    "away until 5 March 2029",
    "until 30 November",
    "I am on holiday. Our office moved to Street 5 on 1 February 2027.",
    "Thank you for your mail. I am currently out of office",
    "I may be back at some time; call 31/12",
    "until the 32nd of January",
    "away until 31 February 2027",
    "",
    "Call me on 0171 2026-12-24-17 when you are back",
    "I will reply in 24/7 mode",
    "Ticket 12345 has been created on 21.12.2026.",
]


@pytest.mark.parametrize(("text", "day"), STATED)
def test_a_stated_return_is_found(text: str, day: date):
    """Broken, we would write to an empty desk, or be silent for a week when a day would do."""
    assert away_until(text, SENT_ON) == day


@pytest.mark.parametrize("text", NOT_STATED)
def test_what_is_not_certain_is_not_guessed(text: str):
    """Broken, a phone number, last year's date or the day a holiday begins would silence a campaign for months."""
    assert away_until(text, SENT_ON) is None


def test_a_return_today_is_one():
    """Broken, somebody who is back already would be left alone for a week."""
    assert away_until("I am back on 20 December 2026.", SENT_ON) == SENT_ON


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("I am out until 05/01/2027", date(2027, 1, 5)),
        ("I am out until 01/05/2027", date(2027, 1, 5)),
        ("I am out until 01/13/2027", date(2027, 1, 13)),
        ("Absent jusqu'au 05/01/2027", date(2027, 1, 5)),
        ("Absent jusqu'au 01/05/2027", date(2027, 5, 1)),
    ],
)
def test_slashes_are_read_as_the_language_writes_them(text: str, day: date):
    """Broken, an American's 5th of January would be the 1st of May: four months of silence."""
    assert away_until(text, SENT_ON) == day


@given(
    st.text(alphabet="0123456789./-– \nuntilbackonJanuarbiszumMontag", max_size=80),
    st.dates(date(2020, 1, 1), date(2090, 1, 1)),
)
def test_no_text_leads_into_the_past_or_far_ahead(text: str, sent_on: date):
    """Broken, a strange answer would crash the function, or hold a person for years."""
    found = away_until(f"back on {text}", sent_on)
    assert found is None or sent_on <= found <= sent_on + MAX_AWAY
