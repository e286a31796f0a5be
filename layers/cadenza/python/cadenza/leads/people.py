"""Names, titles and mailboxes: which line is a person's name, who decides, and whose address it is. Pure rules."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

GENERIC_RANK = 100
_UNTITLED_RANK = 6
_TITLED_RANK = 5
_MAX_TITLE_CHARS = 80
_MAX_TITLE_WORDS = 9
_MAX_LINE_CHARS = 240
_NAME_TOKENS = (2, 5)

# First match wins, so the exceptions come first: an assistant to the CEO is not the CEO.
_RANKS: tuple[tuple[int, re.Pattern[str]], ...] = tuple(
    (rank, re.compile(rf"\b(?:{words})", re.IGNORECASE))
    for rank, words in (
        (_TITLED_RANK, r"assistant|assisten[tz]|assistente|asistente|secret[aá]r|sekret[aä]r|product owner\b"),
        (2, r"vice[- ]pr[eé]sid\w+|vp\b|s?evp\b"),
        (
            1,
            (
                r"(?:co-?)?founder|(?:co-?)?owner\b|ceo\b|chief executive|managing director|managing partner|"
                r"general manager|gesch[aä]ftsf[uü]hr\w*|gesch[aä]ftsleit\w*|inhaber\w*|(?:mit)?gr[uü]nder\w*|"
                r"vorst[aä]nd\w*|(?:co-?)?fundador\w*|s[oó]ci[oa]s?\b|s[oó]cio-gerente|propriet[aá]ri[oa]|"
                r"propietari[oa]|due[nñ][oa]|administrador\w*|diretora?[- ]geral|directora?[- ]general|g[eé]rante?\b|"
                r"pdg\b|(?:co-?)?fondat\w+|directeur g[eé]n[eé]ral|directrice g[eé]n[eé]rale|pr[eé]sident\w*|"
                r"proprietor|zaakvoerder|eigenaar|titolare|amministrat\w+"
            ),
        ),
        (2, r"chief\b|c[tfmoi]o\b|ciso\b|partner$|partner,|prokurist\w*|procurador\w*"),
        (
            3,
            (
                r"head\b|director\w*|diret[o]r\w*|directeur|directrice|leiter\w*|leitung|\w+leit(?:er|ung)\w*|"
                r"responsable|jef[ea]\b|chefe\b|direttor\w*|direttrice"
            ),
        ),
        (
            4,
            (
                r"\w*manager\w*|lead\b|team ?lead\w*|gerente|coordinat\w+|coorden\w+|koordinat\w+|supervisor\w*|"
                r"encarregad\w+|responsabile"
            ),
        ),
        (
            _TITLED_RANK,
            (
                r"engineer|developer|designer|consultant|sales\b|marketing\b|account\b|accountant|specialist|analyst|"
                r"architect\b|operations\b|support\b|buyer|purchasing|procurement|office\b|advisor|adviser|technician|"
                r"foreman|workshop\b|referent|berater|sachbearbeit|entwickl|vertrieb|einkauf|buchhalt|ingenieur|"
                r"architekt|meister\w*|engenheir|t[eé]cnic|comercial|vendas|ventas|compras|consultor|arquitet|"
                r"arquitect|ingeni|commercial|ing[eé]nieur|conseill|acheteu|charg[eé]e? d|d[eé]velopp|ventes|partner\b"
            ),
        ),
    )
)

_GENERIC = re.compile(
    r"^(?:info|infos|contact|contacts|contacto|contactos|contato|kontakt|hello|hallo|hola|ola|bonjour|hi|mail|email|"
    r"post|office|buero|sekretariat|zentrale|empfang|reception|recepcao|geral|general|enquiries|enquiry|inquiries|"
    r"inquiry|anfrage|anfragen|sales|vertrieb|verkauf|ventas|vendas|comercial|commercial|support|service|services|"
    r"kundenservice|help|hilfe|team|admin|administration|verwaltung|administracion|administracao|accounts|accounting|"
    r"billing|buchhaltung|rechnung|invoices|finance|press|presse|media|marketing|pr|jobs|job|careers|career|karriere|"
    r"bewerbung|recruiting|hr|people|rh|recrutement|orders|order|bestellung|shop|store|booking|bookings|reservations|"
    r"reservas|webmaster|web|legal|secretariado|direction|accueil|loja|workshop|studio|hq|welcome|feedback|partners|"
    r"partner|newsletter|news|events|customerservice|customer)(?:$|[-_.+\d])",
    re.IGNORECASE,
)
# Nobody reads these, or those who do are not to be written to about business.
_UNWRITABLE = re.compile(
    r"^(?:no-?_?reply|do-?not-?reply|noresponder|nao-?responder|mailer-daemon|postmaster|hostmaster|abuse|bounces?|"
    r"unsubscribe|privacy|datenschutz|dpo|dsb|gdpr|rgpd|security|spam|root|daemon)(?:$|[-_.+\d])",
    re.IGNORECASE,
)
# What forms and snippets show in place of an address.
_PLACEHOLDER = re.compile(
    r"^(?:example|name|your\.?name|yourname|your|you|user|username|email|your-?email|test|someone|somebody|john\.?doe|"
    r"jane\.?doe|max\.?mustermann|erika\.?mustermann|vorname\.?nachname|firstname\.?lastname|first\.?last|nome|nombre|"
    r"prenom\.?nom|xxx+)$",
    re.IGNORECASE,
)

_HONORIFICS = re.compile(
    r"^(?:(?:dr|prof|eng|arq|ing|dipl|mag|mr|mrs|ms|mx|sir|dame|herr|frau|sr|sra|srta|m|mme|mlle|dra?|dott|"
    r"dipl\.?-?ing)\.?ª?\s+)+",
    re.IGNORECASE,
)
_PARTICLE_WORDS = "de da do dos das del della di du la le van von der den zu zum ten ter y e i bin ibn al el af"
_PARTICLES = frozenset(_PARTICLE_WORDS.split())
_NAME_TOKEN = re.compile(r"^[^\W\d_](?:[^\W\d_]|['’-](?=[^\W\d_]))*\.?$")
_NOT_NAME_WORDS = """
    about address adresse agb all and ansprechpartner april august bank based book board build call city clients
    company contact contacts contactos contato kontakt december datenschutz details e-mail email equipa equipe
    equipo experience fax february find follow founded friday from gmbh group has he her hello his home hours how
    imprint impressum inc january july june leadership learn legal limited linkedin llc ltd lda management march
    meet mail message mobile monday more morada nossa november october office offices offer online opening our ours
    people phone policy press privacy products sales saturday says send september services she sitz solutions staff
    street strasse straße road rua avenida avenue rue platz plaza calle sunday support team telefon telefone tel
    teléfono the their thursday to touch tuesday unser unsere us vat visit was we wednesday welcome what who why
    with work write you your notre nuestro nuestra über uns
"""
_NOT_NAMES = frozenset(_NOT_NAME_WORDS.split())


def role_rank(title: str) -> int:
    """How far up a title is: 1 owns or runs it all, 2 the board, 3 heads of, 4 managers, 5 other titles, 6 none."""
    return next((rank for rank, pattern in _RANKS if pattern.search(title)), _TITLED_RANK if title else _UNTITLED_RANK)


def is_title(text: str) -> bool:
    """Whether a line is a job title: short, without digits or address, with a word that titles have."""
    return (
        len(text) <= _MAX_TITLE_CHARS
        and not re.search(r"[@\d!?:]|\.\s", text)
        and len(text.split()) <= _MAX_TITLE_WORDS
        and any(pattern.search(text) for _, pattern in _RANKS)
    )


def is_name(text: str) -> bool:
    """Whether a line is a person's name: two to five capitalised words, none of which names a thing or a role."""
    tokens = bare_name(text).split()
    least, most = _NAME_TOKENS
    if not least <= len(tokens) <= most or tokens[0].lower() in _PARTICLES or tokens[-1].lower() in _PARTICLES:
        return False
    for token in tokens:
        lower = token.lower()
        if lower in _NOT_NAMES or not _NAME_TOKEN.match(token):
            return False
        if lower not in _PARTICLES and not token[0].isupper():
            return False
    return not is_title(text)


def bare_name(text: str) -> str:
    """A name without honorifics and in mixed case ("Dr. INÊS DUARTE" → "Inês Duarte")."""
    name = _HONORIFICS.sub("", " ".join(text.split()).strip(" ,;:–—-"))
    return name.title() if name.isupper() else name


def split_name(name: str) -> tuple[str, str]:
    """First and last name. Everything after the first word is the last name: particles stay with it."""
    first, _, last = bare_name(name).partition(" ")
    return first, last


@dataclass(frozen=True)
class NameAndTitle:
    """Who somebody is, as far as a card says. Both may be ""."""

    name: str = ""
    title: str = ""


NOBODY = NameAndTitle()

_DIVIDERS = re.compile(r"\s+[-–—|·•/]\s+|\s*[,;|•·]\s+|\s*[–—]\s*|\s*\((?=[^)]*$)|\)\s*$|:\s+")


def segments(line: str) -> list[str]:
    """The parts of a card's line ("Inês Duarte – CEO" → two)."""
    return [part.strip(" ()") for part in _DIVIDERS.split(line) if part.strip(" ()")]


def people_in(lines: tuple[str, ...]) -> list[NameAndTitle]:
    """Everyone that a card names, in order; a title counts for the name right before it."""
    people: list[NameAndTitle] = []
    fresh = False
    cards = (line for line in lines if len(line) <= _MAX_LINE_CHARS)  # longer lines are prose
    for part in (part for line in cards for part in segments(line)):
        if is_name(part):
            people.append(NameAndTitle(bare_name(part)))
            fresh = True
        elif fresh:
            if is_title(part):
                people[-1] = NameAndTitle(people[-1].name, part)
            fresh = False
    return people


def _folded(text: str) -> tuple[str, str]:
    """ASCII in both customs: "müller" is "muller" and "mueller"."""
    lower = text.casefold()
    german = lower.translate(str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"}))
    return _ascii(lower), _ascii(german)


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text.replace("ø", "o").replace("ł", "l")).encode("ascii", "ignore").decode()


def belongs_to(local_part: str, name: str) -> bool:
    """Whether an address' local part is made of ``name``: first.last, flast, first, last, initials and the like."""
    local = _ascii(local_part.casefold().partition("+")[0])
    parts = [part for part in re.split(r"[._\d-]+", local) if part]
    joined = "".join(parts)
    for folded in _folded(bare_name(name)):
        words = [word for word in re.findall(r"[a-z]+", folded) if word not in _PARTICLES]
        if len(words) < _NAME_TOKENS[0]:
            continue
        first, lasts = words[0], words[1:]
        forms = {first, "".join(w[0] for w in words)}
        for last in (*lasts, "".join(lasts)):
            forms |= {
                last,
                first + last,
                last + first,
                first[0] + last,
                last + first[0],
                first + last[0],
                first[0] + last[0],
            }
        if joined in forms:
            return True
    return False


def is_generic(local_part: str) -> bool:
    """Whether a local part names a desk and not a person (info, sales, kontakt …)."""
    return _GENERIC.match(local_part) is not None


def is_unwritable(local_part: str) -> bool:
    """Whether nobody should be written to here: no-reply, abuse and privacy desks, and placeholders of forms."""
    return bool(_UNWRITABLE.match(local_part) or _PLACEHOLDER.match(local_part))


def names_a_person(local_part: str) -> bool:
    """Whether a local part has the shape first.last."""
    return re.fullmatch(r"[^\W\d_]{2,}[._-][^\W\d_]{2,}", local_part) is not None and not is_generic(local_part)
