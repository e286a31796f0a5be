"""Whose address it is: the company's, somebody else's, or that of a person who is gone. Pure rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from email_validator import EmailNotValidError, validate_email

from cadenza.contacts.addresses import MAILBOX_PROVIDERS
from cadenza.leads.domains import registrable, same_site
from cadenza.leads.people import is_unwritable, unaccented

_MIN_BRAND_CHARS = 6
_OWN_PAGES = re.compile(
    r"contact|kontakt|conta[ck]to|contato|contatti|imprint|impressum|mentions-legales|aviso-legal|legal-notice|about|"
    r"uber-uns|ueber-uns|team|equip[aeo]|people|staff|quem-somos|sobre|quienes-somos|a-propos|qui-sommes|over-ons|"
    r"chi-siamo|azienda|find-us|management",
    re.IGNORECASE,
)
_OTHERS = re.compile(
    r"web ?design|website by|site by|powered by|hosting|hosted by|h[eé]berg\w+|realisi?z?ation|r[eé]alisation|"
    r"realisierung|umsetzung|conception|realizzat\w+|webagentur|web ?agency|agentur|agence web|ombuds|"
    r"supervisory authority|aufsichtsbeh|schlichtung|data protection authority|fotos?\b|photos?\b|photograph\w*",
    re.IGNORECASE,
)
_FILE_NAMES = re.compile(r"\.(?:png|jpe?g|gif|webp|svg|avif|ico|css|m?js|json|pdf|woff2?|html|php)$", re.IGNORECASE)
# What a house adds to its name for another domain.
_HOUSE = re.compile(
    r"|group|gruppe|groupe|grupo|gruppo|groep|holding|international|global|europe|eu|uk|de|at|ch|fr|es|pt|it|nl|ie|"
    r"usa?|"
    r"shop|store|online|mail|team|company|co|gmbh|ag|ltd|inc|sa|srl|sl|lda|bv|partners?"
)
# "notify.company.com": subdomains that programs send from.
_MACHINES = re.compile(r"(?:notif\w*|bounces?|mailer|mailing|mg|em\d+|sendgrid|reply|lists?|smtp)\.", re.IGNORECASE)
# Said of people; "if you no longer wish to hear from us" and "a home for the retired" are not.
_GONE = re.compile(
    r"\b(?:has|have|had) (?:now )?left\b|\bleft (?:us|the company|the firm|in \d{4})\b|\bno longer (?:with|works?|"
    r"working|"
    r"employed|part of|at |here|read|in use|active)|\b(?:has|have|is|now|who|since|he|she) retired\b|\bretired "
    r"(?:in|from|last|this)\b|^former\b|\b(?:our|the) former (?:director|partner|manager|owner|head|chief|"
    r"colleague)\w*|"
    r"\behemalige\w* (?:geschäfts|mitarbeit|leit|inhab|kolleg|vorst)\w*|^ehemalige\b|\bausgeschieden\b|"
    r"\bim ruhestand\b|"
    r"\bnicht mehr (?:bei|im unternehmen|tätig|für uns|gelesen|aktiv)|\bhat (?:uns|das unternehmen|die firma)\b.{0,40}"
    r"\bverlassen\b|\ba quitt[eé]\b|\bn['’]est plus (?:chez|dans|parmi)|\b(?:à la|en) retraite\b|\banciens? "
    r"(?:directeur|g[eé]rant|coll[eè]gue|salari[eé])\w*|\bancienne (?:directrice|g[eé]rante|coll[eè]gue)|\bya no "
    r"(?:trabaja|está|forma)|\bse jubil[oó]\b|\bjubilad[oa] (?:desde|en)\b|\bantigu[oa] (?:director|gerente)\w*|"
    r"\bj[aá] n[aã]o (?:trabalha|est[aá])|\breformou-se\b|\breformad[oa] desde\b|\b(?:è|andat[oa]) in pensione\b|"
    r"\bha lasciato (?:l['’]azienda|la società)|\bnon lavora più\b|\bmet pensioen\b|\bniet meer (?:werkzaam|bij|"
    r"in dienst)|"
    r"\bvoormalige? (?:directeur|eigenaar|medewerker)\w*",
    re.IGNORECASE,
)


def has_left(sentence: str) -> bool:
    """Whether a sentence, or a heading, says of somebody that they are no longer there."""
    return _GONE.search(sentence) is not None


@dataclass(frozen=True)
class Owner:
    """The company whose site it is: its domain, and its name as the site gives it."""

    domain: str
    company_name: str = ""

    def may_offer(self, email: str, page_url: str, context: str, *, linked: bool) -> bool:
        """Whether an address is well-formed, meant for people, and the company's own.

        ``context`` is the text around it; ``linked`` says that it is offered to be written to, not just mentioned.
        """
        local, _, host = email.rpartition("@")
        if is_unwritable(local) or _MACHINES.match(host) or _FILE_NAMES.search(host) or not _well_formed(email):
            return False
        if same_site(host, self.domain):
            return True
        offered = is_own_page(page_url) and _is_public(host) and not _OTHERS.search(context)
        shared = host.lower() in MAILBOX_PROVIDERS or self.is_called(local)
        return offered and (self._is_sister(host) or (linked and shared))

    def _is_sister(self, host: str) -> bool:
        """Whether a host is named for the same house, as castlebridge-group is for castlebridge-packaging.

        A common beginning alone is not enough: every roofer of a town may begin with "roofing", and so may a forger.
        """
        label = _squashed((registrable(host.lower()) or "").partition(".")[0])
        return any(label.startswith(b) and _HOUSE.fullmatch(label[len(b) :]) for b in self._brands())

    def is_called(self, local: str) -> bool:
        """Whether a mailbox has the company's name, wherever it is kept."""
        whole = {_squashed(self.domain.partition(".")[0]), _squashed(self.company_name)}
        return len(local) >= _MIN_BRAND_CHARS and _squashed(local) in whole

    def _brands(self) -> set[str]:
        label = self.domain.partition(".")[0]
        words = (label.partition("-")[0], re.split(r"\W+", unaccented(self.company_name.casefold()))[0])
        # The name's first word counts only where the domain is made of it: a title may say anything.
        brands = {word for word in words if label.startswith(word)} | {_squashed(label)}
        return {brand for brand in brands if len(brand) >= _MIN_BRAND_CHARS}


def _squashed(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", unaccented(text.casefold()))


def _well_formed(email: str) -> bool:
    try:
        # A name that only looks wrong to the public (.example) is fine as the site's own.
        validate_email(email, check_deliverability=False, globally_deliverable=False, allow_smtputf8=False)
    except EmailNotValidError:
        return False
    return "." in email.rpartition("@")[2]


def _is_public(host: str) -> bool:
    try:
        validate_email(f"x@{host}", check_deliverability=False)
    except EmailNotValidError:
        return False
    return not re.fullmatch(r"(?:.*\.)?example\.(?:com|org|net)", host.lower())


def is_own_page(url: str) -> bool:
    """Whether a page is about the company itself: contact, team, imprint and the like."""
    return _OWN_PAGES.search(unquote(urlsplit(url).path)) is not None
