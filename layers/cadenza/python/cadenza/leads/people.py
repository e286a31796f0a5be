"""Names, titles and mailboxes: which line is a person's name, who decides, and whose address it is. Pure rules."""

from __future__ import annotations

import re
import unicodedata

GENERIC_RANK = 100
_UNTITLED_RANK = 6
_TITLED_RANK = 5
_MAX_TITLE_CHARS = 80
_MAX_TITLE_WORDS = 9
_NAME_TOKENS = (2, 5)

# First match wins, so the exceptions come first: an assistant to the CEO is not the CEO.
_RANKS: tuple[tuple[int, re.Pattern[str]], ...] = tuple(
    (rank, re.compile(rf"\b(?:{words})", re.IGNORECASE))
    for rank, words in (
        (_TITLED_RANK, r"assistant|pa\b|assisten[tz]|assistente|asistente|secret[aá]r|sekret[aä]r|product owner\b"),
        (2, r"vice[- ]pr[eé]sid\w+|vp\b|s?evp\b"),
        (
            1,
            (
                r"(?:co-?)?founder|(?:co-?)?owner\b|ceo\b|chief executive|managing director|managing partner|"
                r"general manager|gesch[aä]ftsf[uü]hr\w*|gesch[aä]ftsleit\w*|inhaber\w*|(?:mit)?gr[uü]nder\w*|"
                r"vorst[aä]nd\w*|(?:co-?)?fundador\w*|s[oó]ci[oa]s?\b|s[oó]cio-gerente|propriet[aá]ri[oa]|"
                r"propietari[oa]|due[nñ][oa]|administrador\w*|diretora?[- ]geral|directora?[- ]general|g[eé]rante?\b|"
                r"pdg\b|(?:co-?)?fondat\w+|directeur g[eé]n[eé]ral|directrice g[eé]n[eé]rale|pr[eé]sident\w*|"
                r"proprietor|zaakvoerder|eigenaar\w*|eigenares\w*|titolare|amministrator\w*|gerência|"
                r"algemeen directeur|"
                r"directeur-eigenaar|vorsitzende\w*|geschäftsinhaber\w*|directeur\w* général\w*"
            ),
        ),
        (2, r"chief\b|c[tfmoi]o\b|ciso\b|partner$|partner,|prokurist\w*|procurador\w*"),
        (
            3,
            (
                r"head\b|director\w*|diret[o]r\w*|directeur|directrice|leiter\w*|leitung|\w+leit(?:er|ung)\w*|"
                r"responsable|jef[ea]\b|chefe?\b|direttor\w*|direttrice|hoofd\b|capo\b|responsabil[ei]|respons[aá]vel|"
                r"betriebsleit\w*|leiding\w*"
            ),
        ),
        (
            4,
            (
                r"\w*manager\w*|lead\b|team ?lead\w*|gerente|coordinat\w+|coorden\w+|koordinat\w+|supervisor\w*|"
                r"encarregad\w+|co[oö]rdinator\w*|beheerder\w*|principal\b|foreman|forewoman"
            ),
        ),
        (
            _TITLED_RANK,
            (
                r"engineer|developer|designer|consultant|sales\b|marketing\b|account\b|accountant|specialist|analyst|"
                r"architect\b|operations\b|support\b|buyer|purchasing|procurement|office\b|advisor|adviser|technician|"
                r"foreman|workshop\b|referent|berater|sachbearbeit|entwickl|vertrieb|einkauf|buchhalt|ingenieur|"
                r"architekt|meister\w*|engenheir|t[eé]cnic|comercial|vendas|ventas|compras|consultor|arquitet|"
                r"arquitect|ingeni|commercial|ing[eé]nieur|conseill|acheteu|charg[eé]e? d|d[eé]velopp|ventes|partner\b|"
                r"\w*ontwerper\b|adviseur|monteur\b|medewerk\w+|verkoop|inkoop|administratie|\w*assisten[tz]\w*|"
                r"amministrazione|commerciale|vendite|acquisti|produzione|\w*[eé]n[oó]log\w*|contabil\w+|ventas|"
                r"vet\b|veterinar\w*|surgeon|nurse\b|dentist|therapist|physio\w*|\w*therapeut\w*|joiner|carpenter|"
                r"baker\b|chef\b|cook\b|brewer|winemaker|gardener|mechanic|electrician|plumber|fitter|teacher|trainer|"
                r"lawyer|solicitor|notary|editor\b|photographer|estimator|surveyor|planner\b|controller|clerk\b|"
                r"receptionist|apprentice|intern\b|finance\b|production\b|logisti\w+|quality\b|communications?\b|"
                r"produktion\b|konstruktion\b|verkauf\b|auftrag\w*|disposition|projekt\w*|kundend\w+|technik\w*|"
                r"techniker\w*|fachkraft|\w*meister\w*|\w*leit(?:er|ung)\w*"
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
    r"partner|newsletter|news|events|customerservice|customer|export|import|devis|visit|visits|visitas|visites|quotes|"
    r"estimates|estimating|ordini|commandes|pedidos|encomendas|bestellungen?|verkoop|inkoop|compras|einkauf|purchasing|"
    r"procurement|contabilidade?|contabilidad|comptabilite|compta|amministrazione|administratie|commerciale|vendite|"
    r"acquisti|segreteria|secretariat|secretaria|secretary|anmeldung|ordination|praxis|termine?|rezeption|prenotazioni|"
    r"reservations?|reception|produktion|production|logistik|logistics|technik|werkstatt|redaktion|operations|dispatch|"
    r"warehouse|lager|yard|crew|it|edv|switchboard|frontdesk|enquire|ask|hey|kundendienst|beratung|auftrag|projekte?)"
    r"(?:$|[-_.+\d])",
    re.IGNORECASE,
)
# Nobody reads these, or those who do are not to be written to about business.
_UNWRITABLE = re.compile(
    r"^(?:no-?_?reply|do-?not-?reply|noresponder|nao-?responder|mailer-daemon|postmaster|hostmaster|abuse|bounces?|"
    r"unsubscribe|privacy|privacidad(?:e)?|confidentialite|datenschutz|dpo|dsb|gdpr|rgpd|lopd|lgpd|dsgvo|avg|data-?protection|"
    r"security|spam|root|daemon|notifications?|alerts?|automated|mailer|robot|cron)(?:$|[-_.+\d])",
    re.IGNORECASE,
)
# What forms and snippets show in place of an address.
_PLACEHOLDER = re.compile(
    r"^(?:example|name|your\.?name|yourname|your|you|user|username|email|your-?email|test|someone|somebody|john\.?doe|"
    r"jane\.?doe|max\.?mustermann|erika\.?mustermann|(?:vor|nach|voor|achter)na(?:me|am)|vorname[._-]?nachname|"
    r"(?:first|last|sur)[._-]?name|first[._-]?name[._-]?last[._-]?name|first\.?last|f\.?lastname|initial\.?lastname|"
    r"pr[eé]nom|pr[eé]nom\.?nom|voornaam\.?achternaam|nome|cognome|nombre|apellido|sobrenome|nome\.?cognome|"
    r"nombre\.?apellido|xxx+)$",
    re.IGNORECASE,
)

# Such as Dr.-Ing., Dipl.-Ing. (FH), Dr. med. univ., Eng.ª or Prof.ssa.
_HONORIFICS = re.compile(
    r"^(?:(?:(?:dr|prof|eng|arq|ing|mag|mr|mrs|ms|mx|sir|dame|herrn?|frau|sr|sra|srta|do[nñ]a|m|mme|mlle|dra|me|"
    r"dott|sig|geom|avv|rag|dhr|mevr|drs|ir|inh|dipl(?:\.?-?\s?\w{2,6})?)(?:\.(?:ssa|ra|in)|\.?[ªº]?\.?)|"
    r"(?:med|univ|rer|nat|phil|jur|oec|pol|habil|h\.\s?c|dent|vet|pharm|techn|soc|theol)\.|\(fh\)|\(eth\))(?:-|\s+))+",
    re.IGNORECASE,
)
_NICKNAME = re.compile(r"\s[\"“„«(‘'][^\W\d_]{2,15}[\"”“»)’']\s")
DEGREE = re.compile(
    r"(?:[MB]\.?Sc|[MB]\.?A|[MB]\.?Eng|E?MBA|Ph\.?\s?D|LL\.?\s?[MB]|C\.?Eng|CPA|CFA|ACCA|[FM]RICS|RIBA|[FM]RCVS|MRCS|"
    r"[MB]\.?Ed|Jr|Sr|II|III|[OMC]BE|FH|ETH)\.?"
)
"""What stands after a name and is no part of it."""
_SHOUTED = 4  # letters: "Maëlle FONTANIER", but not "JP Morel"
_PARTICLE_WORDS = "de da do dos das del della di du la le van von der den zu zum ten ter y e i bin ibn al el af"
_PARTICLES = frozenset(_PARTICLE_WORDS.split())
_NAME_TOKEN = re.compile(r"^[^\W\d_](?:[^\W\d_]|['’-](?=[^\W\d_]))*\.?$")
_NOT_NAME_WORDS = """
    by via about address adresse agb all and ansprechpartner april august bank based book board build call city clients
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
        and not re.search(r"[@\d!?:]|\.\s|\w{5,}\.$", text)
        and len(text.split()) <= _MAX_TITLE_WORDS
        and any(pattern.search(text) for _, pattern in _RANKS)
    )


def is_name(text: str) -> bool:
    """Whether a line is a person's name: two to five capitalised words, none of which names a thing or a role."""
    tokens = bare_name(text).split()
    least, most = _NAME_TOKENS
    if not least <= sum(token.lower() not in _PARTICLES for token in tokens) <= most:
        return False
    # "Joseph R." is half a name.
    if tokens[-1].endswith(".") or tokens[0].lower() in _PARTICLES or tokens[-1].lower() in _PARTICLES:
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
    name = _HONORIFICS.sub("", " ".join(_NICKNAME.sub(" ", text).split()).strip(" ,;:–—-"))
    if name.isupper():
        return name.title()
    words = name.split()
    while len(words) > _NAME_TOKENS[0] and DEGREE.fullmatch(words[-1]):
        words.pop()
    shouted = (w.isupper() and (len(w) >= _SHOUTED or w.lower() in _PARTICLES) for w in words)
    return " ".join(w.title() if loud else w for w, loud in zip(words, shouted, strict=True)).rstrip(",")


def split_name(name: str) -> tuple[str, str]:
    """First and last name. Everything after the first word is the last name: particles stay with it."""
    first, _, last = bare_name(name).partition(" ")
    return first, last


def _folded(text: str) -> tuple[str, str]:
    """ASCII in both customs: "müller" is "muller" and "mueller"."""
    lower = text.casefold()
    german = lower.translate(str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"}))
    return unaccented(lower), unaccented(german)


def unaccented(text: str) -> str:
    """``text`` in ASCII: letters without their accents."""
    return unicodedata.normalize("NFKD", text.replace("ø", "o").replace("ł", "l")).encode("ascii", "ignore").decode()


def belongs_to(local_part: str, name: str) -> bool:
    """Whether an address' local part is made of ``name``: first.last, flast, first, last, initials and the like."""
    local = unaccented(local_part.casefold().partition("+")[0])
    parts = [part for part in re.split(r"[._\d-]+", local) if part]
    joined = "".join(parts)
    for folded in _folded(bare_name(name)):
        words = [word for word in re.findall(r"[a-z]+", folded) if word not in _PARTICLES]
        if len(words) < _NAME_TOKENS[0]:
            continue
        first, lasts = words[0], words[1:]
        forms = {first, "".join(w[0] for w in words)}
        # "w.tenbrink" and "j.vandermeer" take the particles along.
        whole = "".join(re.findall(r"[a-z]+", folded)[1:])
        for last in (*lasts, "".join(lasts), whole):
            forms |= {
                last,
                first + last,
                last + first,
                first[0] + last,
                last + first[0],
                first + last[0],
                first[0] + last[0],
            }
        # "kh.mueller" and "jeanluc.saintmartin": several first names, as initials or whole.
        for k in range(2, len(words)):
            for given in ("".join(w[0] for w in words[:k]), "".join(words[:k])):
                forms |= {given + last for last in (*words[k:], "".join(words[k:]))}
        if joined in forms:
            return True
    return False


def may_be_short_for(local_part: str, name: str) -> bool:
    """Whether a local part begins as one of somebody's names does ("cat" for Catriona, "sue" for Susan)."""
    begins = unaccented(local_part.casefold())[:2]
    return any(word[:2] == begins for folded in _folded(bare_name(name)) for word in re.findall(r"[a-z]+", folded))


def is_generic(local_part: str) -> bool:
    """Whether a local part names a desk and not a person (info, sales, kontakt …)."""
    return _GENERIC.match(local_part) is not None


def is_unwritable(local_part: str) -> bool:
    """Whether nobody should be written to here: no-reply, abuse and privacy desks, and placeholders of forms."""
    return bool(_UNWRITABLE.match(local_part) or _PLACEHOLDER.match(local_part))


def names_a_person(local_part: str) -> bool:
    """Whether a local part has the shape first.last or f.last."""
    return re.fullmatch(r"[^\W\d_]+[._-][^\W\d_]{2,}", local_part) is not None and not is_generic(local_part)
