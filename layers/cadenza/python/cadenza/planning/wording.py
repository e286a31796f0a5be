"""Phrases that a mail must not have, names it must get right, and words of the brief that it must keep to itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cadenza.leads.evidence import squash
from cadenza.leads.unfit import charges
from cadenza.planning.brief import PlanBrief
from cadenza.planning.findings import Finding
from cadenza.planning.lint_codes import LintCode, refusal

_LETTERS = re.compile(r"[^\W\d_]+")
_QUOTED = re.compile(r"[“„«\"]\s?[^“”„«»\"]{4,}?\s?[”“»\"]")

# --- phrases -----------------------------------------------------------------------------------------------------

_SPAM = re.compile(
    r"\b(?:act now|buy now|order now|click here|click below|limited[- ]time|limited offer|offer (?:ends|expires)|"
    r"last chance|urgent(?:ly)?|100 ?% free|risk[- ]free|no obligation|money[- ]back|guaranteed?|double your|"
    r"earn money|extra income|cash bonus|winner|congratulations|you have been selected|exclusive deal|lowest price|"
    r"best price|cheap|miracle|once in a lifetime|don(?:'|’)t miss|hurry|while supplies last|game[- ]changer|"
    r"revolutioni[sz]e|skyrocket|10x|unlock the power|i hope this (?:e-?mail|message) finds you well|just checking in|"
    r"quick question|jetzt (?:kaufen|zugreifen|bestellen)|nur heute|gratis|garantiert|risikofrei|hier klicken|"
    r"compre (?:já|agora)|clique aqui|oferta (?:imperd[ií]vel|limitada)|garantid[oa]|compra ahora|haz clic aquí|"
    r"oferta limitada|garantizad[oa]|cliquez ici|offre limitée|garantie? à 100)\b|[!?]{2,}|"
    r"(?-i:\b[A-ZÄÖÜ]{4,}(?:\s+[A-ZÄÖÜ]{4,}){2,})",
    re.IGNORECASE,
)
# Something given away, knocked off, promised or threatened: only the sender can say so, in `offering` or `ask`.
_PROMISE = re.compile(
    r"\b(?:discounts?|rebates?|refunds?|vouchers?|coupons?|gift cards?|for free|free of charge|at no cost|half price|"
    r"(?:free|no-cost) (?:trial|month|of charge|audit|samples?|licen[cs]es?)|we (?:promise|guarantee|commit|"
    r"undertake|owe|pay)|"
    r"i (?:promise|guarantee|commit|undertake)|price (?:match|guarantee)|wire transfer|bank transfer|bitcoin|iban|"
    r"rabatt\w*|gutschein\w*|kostenlos\w*|kostenfrei\w*|umsonst|erstattung|wir (?:versprechen|garantieren|"
    r"verpflichten)|"
    r"überweis\w+|remises?|rabais|remboursement\w*|gratuit\w*|bons? d(?:'|’)achat|nous (?:promettons|garantissons)|"
    r"virement|"
    r"descuentos?|reembols\w+|gratuit[oa]s?|cupon(?:es)?|cupón|garantizamos|prometemos|transferencia bancaria|"
    r"descontos?|grátis|garantimos|transferência bancária|vale-presente|sconti?|rimbors\w+|gratis|gratuit[aei]|"
    r"garantiamo|"
    r"korting\w*|terugbetaling|wij garanderen|скидк\w+|бесплатн\w+|гаранти\w+)\b|折扣|免费|优惠|退款",
    re.IGNORECASE,
)
_FAMILIAR = re.compile(
    r"\b(?:as (?:discussed|agreed|promised|requested|mentioned (?:on|in|during))|per (?:our|your) (?:call|"
    r"conversation|request|"
    r"discussion|chat)|(?:following|follow) up on (?:our|your) (?:call|conversation|meeting|chat|request|order|"
    r"inquiry)|"
    r"(?:since|after|from|in) our (?:last )?(?:call|conversation|meeting|chat|talk)|(?:nice|great|good|"
    r"lovely) (?:to (?:meet|talk|"
    r"speak|chat)|(?:meeting|talking|speaking|chatting)) (?:with |to )?you|(?:we|i) (?:spoke|met|talked) (?:with you|"
    r"to you|at|"
    r"last|yesterday|on)|your colleague (?:told|said|suggested|referred|recommended)|(?:thanks|"
    r"thank you) for your (?:call|order|"
    r"reply|request|inquiry|interest|time (?:yesterday|today))|your (?:order|invoice|account|subscription|request)\b|"
    r"wie (?:besprochen|vereinbart|abgesprochen|angekündigt)|nach unserem (?:gespräch|telefonat|treffen)|"
    r"bezugnehmend auf unser|danke für (?:ihre|deine) (?:anfrage|antwort|bestellung)|ihre (?:bestellung|rechnung)\b|"
    r"comme (?:convenu|discuté|promis)|suite à (?:notre|votre) (?:échange|appel|conversation|demande|commande)|"
    r"como (?:hablamos|acordamos|quedamos|conversamos|combinado|combinámos|combinamos|falámos|falamos)|"
    r"(?:tras|después de) nuestra (?:llamada|conversación|reunión)|(?:após|depois d)a? nossa (?:conversa|chamada|"
    r"reunião)|"
    r"come (?:concordato|d(?:'|’)accordo|discusso)|zoals (?:besproken|afgesproken))\b",
    re.IGNORECASE,
)
_REPLY_MARK = re.compile(r"^\s*(?:re|fwd?|aw|wg|tr|rv|enc|antw|betr|r|i|sv|vs)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_MIN_SHOUTED = 8


def phrases(text: str, pointer: str, brief: PlanBrief) -> Iterator[Finding]:
    """Spam, promises, charges and false familiarity. The sender's own words are left alone, and so are quotations."""
    own = squash(f"{brief.offering} {brief.ask} {brief.sender_company} {brief.company_name}").casefold()
    known = f"{own} {squash(' '.join(claim.quote for claim in brief.claims)).casefold()}"
    said = _QUOTED.sub(" ", text)
    for phrase in _found(_SPAM, text, known):
        yield refusal(LintCode.SPAM_PHRASE, pointer, f"{phrase!r} reads as spam", "Say it plainly.")
    for phrase in _found(_PROMISE, said, own):
        yield refusal(LintCode.PROMISE, pointer, f"the offering does not promise {phrase!r}", "Leave it out.")
    for phrase in _found(_FAMILIAR, said, own):
        message = f"{phrase!r} claims a conversation that there was not"
        yield refusal(LintCode.FALSE_FAMILIARITY, pointer, message, "Leave it out.")
    for phrase in sorted({charge.casefold() for charge in charges(text)}):
        if phrase not in own:
            message = f"{phrase!r} charges or threatens somebody"
            yield refusal(LintCode.ACCUSATION, pointer, message, "Leave it out.")


def _found(pattern: re.Pattern[str], text: str, excused: str) -> list[str]:
    """The phrases of ``text``, each once, that do not stand in ``excused`` (squashed, in lower case)."""
    found = {match[0].casefold() for match in pattern.finditer(text)}
    return sorted(phrase for phrase in found if phrase not in excused)


def subject_tricks(subject: str, pointer: str) -> Iterator[Finding]:
    """A subject that feigns an answer, or shouts."""
    letters = [c for c in subject if c.isalpha()]
    if mark := _REPLY_MARK.match(subject):
        message = f"{mark[0].strip()!r} feigns an answer"
        yield refusal(LintCode.SUBJECT_TRICK, pointer, message, "Leave it out.")
    if len(letters) >= _MIN_SHOUTED and " " in subject.strip() and all(c.isupper() for c in letters):
        yield refusal(LintCode.SUBJECT_TRICK, pointer, "the subject is all capitals", "Write it as a sentence.")


# --- names -------------------------------------------------------------------------------------------------------

_GREETING = re.compile(
    r"^\s*(?:hi|hello|hey|dear|good (?:morning|day|afternoon)|guten (?:tag|morgen)|hallo|liebe[rs]?|sehr geehrte[rs]?|"
    r"olá|oi|bom dia|boa tarde|car[oa]|prezad[oa]|hola|buenos días|buenas tardes|estimad[oa]|querid[oa]|bonjour|cher|"
    r"chère|ciao|buongiorno|beste|geachte)\b(?P<rest>.*)",
    re.IGNORECASE,
)
_NOBODY_WORDS = """
    there all team everyone everybody together sir madam mr mrs ms dr prof herr frau sr sra senhor senhora señor
    señora monsieur madame mme m doctor equipa equipe equipo zusammen alle a à tous todos todas und and e y et to
    the an der die das
"""
_NOBODY = frozenset(_NOBODY_WORDS.split())
_AT_COMPANY = re.compile(
    r"\b(?:you|your (?:team|colleagues?)|everyone|team|colleagues?|sie|ihnen|euch|ihr team|vous|votre équipe|ustedes|"
    r"su equipo|"
    r"vocês|vossa equipa|sua equipe|voi|jullie)\s+(?:at|bei|von|chez|en|na|no|da|do|em|"
    r"bij)\s+(?-i:(?P<name>[^\W\d_a-z][\w&’'-]+))",
    re.IGNORECASE,
)
_SIGNATURE_LINES = 6


def names(body: str, pointer: str, brief: PlanBrief) -> Iterator[Finding]:
    """A greeting for somebody else, another company in the recipient's place, and somebody else's signature."""
    wrong = _wrong_name(body, brief)
    client = wrong and wrong.casefold() in _claimed(brief)
    fix = f"Greet {brief.contact_name or 'nobody'}."
    if client:
        message = f"the greeting names {wrong!r}, which the claims do, but which is not {brief.company_name!r}"
        yield refusal(LintCode.WRONG_COMPANY, pointer, message, fix)
    elif wrong:
        yield refusal(LintCode.WRONG_NAME, pointer, f"the greeting names {wrong!r}", fix)
    companies = set(_LETTERS.findall(f"{brief.company_name} {brief.sender_company}".casefold()))
    places = _claimed(brief) - companies
    for match in _AT_COMPANY.finditer(body):
        if not set(_LETTERS.findall(match["name"].casefold())) & companies and match["name"].casefold() in places:
            message = f"{match[0]!r} takes the recipient for another company's"
            yield refusal(LintCode.WRONG_COMPANY, pointer, message, f"The company is {brief.company_name!r}.")
    yield from _signature(body, pointer, brief)


def _claimed(brief: PlanBrief) -> set[str]:
    return set(_LETTERS.findall(" ".join(claim.quote for claim in brief.claims).casefold()))


def _wrong_name(body: str, brief: PlanBrief) -> str:
    """The word of the greeting that is neither a courtesy nor a part of the recipient's name; "" if all are."""
    match = _GREETING.match(body)
    if match is None:
        return ""
    line = match["rest"].strip()
    # "Buenos días, Ana:" is all greeting; in "Hi Ana, I read …" the sentence goes on after the comma.
    rest = line if line.endswith((",", ":", "!")) else re.split(r"[,:!]", line)[0]
    known = set(_LETTERS.findall(f"{brief.contact_name} {brief.first_name} {brief.company_name}".casefold())) | _NOBODY
    return next((w for w in _LETTERS.findall(rest) if w[0].isupper() and w.casefold() not in known), "")


def _signature(body: str, pointer: str, brief: PlanBrief) -> Iterator[Finding]:
    """The mail ends with the sender's name; behind it stands nothing but the company's."""
    lines = [squash(line) for line in body.splitlines() if line.strip()][-_SIGNATURE_LINES:]
    name = squash(brief.sender_name).casefold()
    at = next((n for n in range(len(lines) - 1, -1, -1) if name in lines[n].casefold()), None)
    fix = f"End with {brief.sender_name!r} and {brief.sender_company!r}."
    if at is None:
        yield refusal(LintCode.WRONG_SENDER, pointer, f"{brief.sender_name!r} did not sign", fix)
        return
    known = set(_LETTERS.findall(f"{name} {brief.sender_company}".casefold())) | {
        "at",
        "bei",
        "von",
        "de",
        "da",
        "chez",
    }
    for line in lines[at:]:
        if strange := next((w for w in _LETTERS.findall(line) if w.casefold() not in known), ""):
            yield refusal(LintCode.WRONG_SENDER, pointer, f"the signature names {strange!r}", fix)


# --- what stays inside -------------------------------------------------------------------------------------------

_SHINGLE_WORDS = 5
_OUR_FIELDS = re.compile(
    r"\b(?:sender_name|sender_company|company_name|contact_name|contact_title|first_name|page_url|quiet_hours|"
    r"max_emails|"
    r"no_open_after|follow_up_after|start_node_id|previous_plan|claims?_used)\b|\bsk-[\w-]{8,}",
    re.IGNORECASE,
)


def leaks(text: str, pointer: str, brief: PlanBrief, instructions: str = "") -> Iterator[Finding]:
    """Five words in a row of the campaign's goal, which is for the planner only, or of the planner's instructions."""
    meant = _shingles(" ".join((brief.offering, brief.ask, *(claim.quote for claim in brief.claims))))
    said = _shingles(text) - meant
    for inside, what in ((brief.goal, "the campaign's goal"), (instructions, "the planner's instructions")):
        if shared := sorted(said & _shingles(inside)):
            message = f"{' '.join(shared[0])!r} stands in {what}, which is not for the recipient"
            yield refusal(LintCode.LEAK, pointer, message, "Leave it out.")
    for match in _OUR_FIELDS.finditer(text):
        yield refusal(LintCode.LEAK, pointer, f"{match[0]!r} is a name of ours, inside", "Leave it out.")


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = [word.casefold() for word in re.findall(r"\w+", text)]
    return {tuple(words[n : n + _SHINGLE_WORDS]) for n in range(len(words) - _SHINGLE_WORDS + 1)}
