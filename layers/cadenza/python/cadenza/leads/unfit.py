"""What a site may well say and a mail must not repeat: what those who write should say, and charges against anybody.

The first is how a page steers a writer without addressing a machine ("partners who write to us mention …"). The second
would put the site's quarrel under our sender's name. Both are told by words, in eight languages, and err on the side of
silence: a company whose trade are lawsuits loses some claims.
"""

from __future__ import annotations

import re
import unicodedata

_WRITERS = (
    r"(?:anyone|anybody|everyone|everybody|whoever|those|people|partners?|suppliers?|vendors?|senders?|visitors?|"
    r"readers?|"
    r"assistants?|agents?|writers?|friends?|correspond\w+|outreach|firms|companies|businesses|applicants?|"
    r"letters?|e-?mails?|mails?|messages?|proposals?|offers?|pitch\w*|summar\w+|quot\w+|repl\w+|introductions?|"
    r"wer\b|alle\b|partner\w*|lieferant\w*|absender\w*|schreiben\w*|briefe?|anschreiben|angebote?|zusammenfass\w*|"
    r"toute?\b|quiconque|ceux|partenaires?|fournisseurs?|courriers?|courriels?|messages?|offres?|"
    r"quien\w*|todos?|socios?|proveedor\w*|correos?|mensaj\w+|cartas?|propuestas?|"
    r"quem\b|parceir\w+|fornecedor\w*|mensage\w+|propostas?)"
)
_DUTY = (
    r"(?:must|shall|should|ought|have to|has to|need(?:s)? to|please|kindly|ask(?:s|ed)?|request\w*|require\w*|"
    r"expect\w*|"
    r"oblig\w+|mandatory|compulsory|custom\w*|tradition\w*|polic\w+|appreciat\w+|welcome\w*|courtesy|always|usually|"
    r"mus(?:s|ß|st|sen)|soll\w*|bitte\w*|gebeten|erwart\w+|verlang\w+|pflicht\w*|immer|stets|ublich\w*|freuen|"
    r"doi\w+|devr\w+|devez|prie\w*|demand\w+|exige\w*|attend\w+|obligatoire|toujours|merci de|veuillez|"
    r"deb\w+|ruega\w*|rogamos|pedimos|pide\w*|exig\w+|esper\w+|obligatori\w+|siempre|favor|"
    r"dev\w+|pede\w*|solicit\w+|obrigat\w+|sempre|agradec\w+)"
)
_SPEECH = (
    r"(?:mention\w*|state[sd]?|stating|include[sd]?|including|quote[sd]?|cit(?:e|es|ed|ing)|recommend\w*|open(?:s|"
    r"ing)? with|"
    r"begin\w* with|clos(?:e|es|ing) with|end(?:s|ing)? with|say(?:s|ing)?|tell\w*|add(?:s|ing)?|link(?:s|ing)?|"
    r"refer\w*|"
    r"confirm\w*|forward\w*|copy|cc|name(?:s|d)?|point(?:s)? to|congratulat\w+|promise\w*|greet\w*|announc\w*|"
    r"prais\w+|introduc\w+|thank\w*|promot\w+|advertis\w+|carr(?:y|ies)|"
    r"erwahn\w*|nenn\w*|zitier\w*|empfehl\w*|hinweis\w*|schreib\w*|sag\w*|verlink\w*|bestatig\w*|aufnehm\w*|"
    r"aufgenommen|"
    r"mentionn\w*|indiqu\w*|cit(?:er|e|ent)|recommand\w*|ajout\w*|ecri\w*|precis\w*|signal\w*|confirm\w*|"
    r"mencion\w*|indi(?:car|que|quen)|cit(?:ar|e|en)|recom\w+|anad\w*|escrib\w*|escrev\w*|inclu\w+|refer\w+|"
    r"acrescent\w*|diz\w*|dig\w+)"
)
_TERMS = (
    r"\b(?:by|in) (?:writing|contacting|e-?mailing|replying|approaching) (?:to )?(?:us|our)\b|"
    r"\b(?:greeting|salutation|code ?word|pass ?word|subject line|first line|opening line|last line)\b|"
    r"\b(?:partners?|suppliers?|senders?|vendors?|firms|companies|businesses|whoever|anyone|"
    r"those)\b.{0,30}\b(?:writ\w+|contact\w*|"
    r"approach\w*)\b.{0,60}"
    r"\b(?:grant|pay|owe|accept|agree|promise|undertake|guarantee|commit|offer)s?\b|"
    r"\b(?:wer uns schreibt|mit ihrer nachricht|en nous ecrivant|al escribirnos|ao escrever-?nos)\b"
)
_A_MAIL = (
    r"(?:(?:the|your|their|every|each|any|all|der|die|das|jede\w*|ihre\w*|votre|chaque|su|cada|sua) )?"
    r"(?:(?:first|subject|opening|closing) )?(?:sentences?|subjects?|letters?|e-?mails?|mails?|messages?|repl\w+|"
    r"proposals?|betreff|anschreiben|nachricht\w*|schreiben|courriel\w*|objet|correo\w*|asunto|mensaje\w*|mensage\w*|"
    r"assunto)"
)
_RUSSIAN_DUTY = r"(?:прос\w+|долж\w+|следует|необходимо|обязательн\w+|пожалуйста|принято)"
_DIRECTS = re.compile(
    "|".join(
        (
            rf"\b{_WRITERS}\b.{{0,80}}\b{_DUTY}\b.{{0,60}}\b{_SPEECH}\b",
            rf"\b{_DUTY}\b.{{0,60}}\b{_WRITERS}\b.{{0,60}}\b{_SPEECH}\b",
            rf"\b{_SPEECH}\b.{{0,80}}\b(?:in|into|within|to|from|with|dans|en|em|im|ins) {_A_MAIL}\b",
            _TERMS,
            r"(?:请|請|务必|必须|應|应当?|需要?).{0,30}(?:提及|提到|包含|包括|写|寫|加上|附上|告诉|推荐|转发|说明)",
            r"(?:邮件|郵件|来信|信件).{0,20}(?:请|务必|必须|应|都要)",
            rf"{_RUSSIAN_DUTY}.{{0,60}}(?:упом\w+|указ\w+|сообщ\w+|напис\w+|добав\w+|включ\w+|рекоменд\w+|сосл\w+)",
            r"(?:письм\w+|пишет|пишут|партн[её]р\w*).{0,60}(?:упомина\w+|указыва\w+|рекоменду\w+|сообща\w+|добавля\w+)",
        )
    ),
    re.IGNORECASE | re.DOTALL,
)
_CHARGES = re.compile(
    r"\b(?:fraud\w*|scam\w*|swindl\w+|crook\w*|cheat(?:s|ed|ing|ers?)?|liars?|bankrupt\w*|insolven[ct]\w*|lawsuits?|"
    r"legal (?:action|steps|proceedings|consequences)|prosecut\w+|sued?|court order|criminal\w*|blackmail\w*|"
    r"fail(?:s|ed|ing)? (?:\w+ ){0,3}(?:inspections?|tests?|audits?)|defective|counterfeit\w*|collaps\w+|unsafe|"
    r"dangerous|"
    r"stole|stolen|steals?|embezzl\w+|penalt(?:y|ies)|fined|infring\w+|blacklist\w*|recall(?:ed)? (?:for|over)|"
    r"betrug\w*|betrug|betrüger\w*|pleite|insolvenz\w*|klage[n]?\b|verklag\w+|strafanzeige\w*|rechtliche schritte|"
    r"abmahn\w+|"
    r"mangelhaft\w*|gefährlich\w*|gestohlen|fälsch\w+|durchgefallen|"
    r"fraude\w*|escroc\w*|faillite\w*|poursuites?|procès|plainte|dangereu\w+|défectueu\w+|contrefaçon\w*|volé\w*|"
    r"estafa\w*|quiebra\w*|demanda(?:r|da|do)? judicial\w*|acciones legales|peligros\w+|defectuos\w+|robad\w+|"
    r"burla\w*|falênci\w+|falid\w+|processo judicial|ação judicial|perigos\w+|defeituos\w+|roubad\w+|"
    r"truffa\w*|fallit\w+|frode|oplichter\w*|failliet\w*|"
    r"мошен\w+|банкрот\w*|судебн\w+|обман\w*|краден\w*|опасн\w+)\b|欺诈|诈骗|骗子|破产|起诉|违法|伪劣|危险|法律行动",
    re.IGNORECASE,
)


_FIRST_PERSON = re.compile(
    r"(?<!\w)(?:we|we['’]\w+|our|ours|wir|unser\w*|nous|notre|nos|nosotr[oa]s|nuestr[oa]s?|nós|noss[oa]s?|noi|"
    r"nostr[oaie]|"
    r"wij|onze|мы|наш\w*|\w+(?:[aáeêéio]mos|iamo))(?!\w)|我们|我們|本公司|我司",
    re.IGNORECASE,
)
_SECOND_PERSON = re.compile(
    r"(?<!\w)(?:you|your|yours|(?-i:Sie|Ihnen|Ihr\w*)|du|dein\w*|vous|votre|vos|usted(?:es)?|vuestr\w+|você|vocês|"
    r"voss[oa]s?|voi|"
    r"vostr[oaie]|u|uw|jij|jouw|вы|ваш\w*)(?!\w)|您|你",
    re.IGNORECASE,
)
_FACT = re.compile(
    r"\b(?:founded|established|since|opened|opening|launched|certified|hiring|employs?|employees|staff|gegründet|"
    r"seit|eröffne\w*|"
    r"zertifiziert|beschäftigt|mitarbeiter\w*|fondée?|depuis|ouvert\w*|certifiée?|emploie|fundad[oa]s?|desde|abri\w+|"
    r"inaugur\w+|"
    r"certificad[oa]s?|emplea|emprega|fondat[oa]|dal|apert[oa]|opgericht|sinds|geopend|основан\w*|"
    r"\d+ (?:people|colleagues|personnes|collaborateurs|salariés|personas|trabajadores|empleados|pessoas|colaboradores|"
    r"trabalhadores|persone|dipendenti|collaboratori|mensen|medewerkers|menschen))\b",
    re.IGNORECASE,
)
_ENDS = re.compile(r"[.!?…。！？][\"”’»)]*$")


def states_something(text: str) -> bool:
    """Whether ``text`` is a sentence, and not a heading or an item of a list."""
    return _ENDS.search(text) is not None


def is_of_itself(text: str, company_name: str) -> bool:
    """Whether a sentence of a company's site speaks about the company: as "we", by name, or of its founding and such.

    What speaks to a reader, or about others, may be true and is no claim: that is where pages plant what mails should
    say.
    """
    whole = company_name.casefold()
    name = next((word for word in re.findall(r"\w+", whole) if len(word) > _SHORT), whole)
    speaks = bool(_FIRST_PERSON.search(text)) or (bool(name) and name in text.casefold())
    return speaks or (bool(_FACT.search(text)) and not _SECOND_PERSON.search(text))


_SHORT = 3


def directs_writers(text: str) -> bool:
    """Whether ``text`` says what those who write to the company, or about it, should say or accept."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(c for c in apart if not "\u0300" <= c <= "\u036f")
    return _DIRECTS.search(unicodedata.normalize("NFC", plain)) is not None


def accuses(text: str) -> bool:
    """Whether ``text`` charges somebody with something, or threatens."""
    return _CHARGES.search(text) is not None


def charges(text: str) -> list[str]:
    """The words of ``text`` that charge or threaten."""
    return [match[0] for match in _CHARGES.finditer(text)]
