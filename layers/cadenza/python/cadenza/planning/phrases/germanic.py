"""English, German and Dutch."""

from __future__ import annotations

from typing import Final

from cadenza.planning.phrases.model import Mail, Phrases

ENGLISH: Final = Phrases(
    greeting="Hello {first},",
    greeting_formal="Dear {name},",
    greeting_nobody="Hello,",
    capital=True,
    quotes=("“", "”"),
    seen="on your site you write: {quote}",
    news="I read on your site: {quote}",
    offered="among what {company} offers I noticed {quote}.",
    no_claim="I came across {company}.",
    ask="Would a short call make sense?",
    more="More about it: {link}",
    closing="Best regards",
    intro=Mail(
        "A question for {company}",
        (
            "{opening}",
            "That made me wonder whether this could be of use to you. {offering}",
            "I do not know whether this is a topic for you at present. {ask}",
            "{more}",
        ),
    ),
    nudge=Mail(
        "{house} and {company}",
        (
            "I wrote a few days ago, and my mail may have come at a bad time. Here it is in short.",
            "{offering}",
            "{ask} If somebody else at {company} is the right person, a name is enough.",
        ),
    ),
    follow_up=Mail(
        "One more thought for {company}",
        (
            "{opening}",
            "That brings me back to my last mail. {offering}",
            "{ask} A line is enough, and so is a no.",
            "{more}",
        ),
    ),
    interested=Mail(
        "Open questions about {house}",
        (
            "in case you had a closer look and something is open: just answer this mail, I reply myself.",
            "{ask}",
        ),
    ),
    last=Mail(
        "Shall I leave it at that?",
        (
            "I have not heard from you, so this is my last mail on the subject.",
            "If it becomes one for {company} later, an answer to this mail will reach me.",
        ),
    ),
)

GERMAN: Final = Phrases(
    greeting="Guten Tag {name},",
    greeting_formal="Guten Tag {name},",
    greeting_nobody="Guten Tag,",
    capital=False,
    quotes=("„", "“"),
    seen="auf Ihrer Seite schreiben Sie: {quote}",
    news="auf Ihrer Seite habe ich gelesen: {quote}",
    offered="im Angebot von {company} ist mir {quote} aufgefallen.",
    no_claim="ich bin auf {company} aufmerksam geworden.",
    ask="Wäre ein kurzes Gespräch sinnvoll?",
    more="Mehr dazu: {link}",
    closing="Freundliche Grüße",
    intro=Mail(
        "Eine Frage an {company}",
        (
            "{opening}",
            "Da habe ich mich gefragt, ob Ihnen das hier nützen könnte. {offering}",
            "Ob das für Sie gerade ein Thema ist, weiß ich nicht. {ask}",
            "{more}",
        ),
    ),
    nudge=Mail(
        "{house} und {company}",
        (
            ("vor ein paar Tagen habe ich Ihnen geschrieben, vielleicht zur falschen Zeit. Worum es mir ging:"),
            ("{offering}"),
            "{ask} Falls jemand anderes bei {company} zuständig ist, genügt mir ein Name.",
        ),
    ),
    follow_up=Mail(
        "Noch ein Gedanke für {company}",
        (
            "{opening}",
            "Das hat mich an meine letzte Mail erinnert. {offering}",
            "{ask} Eine Zeile genügt, auch für ein Nein.",
            "{more}",
        ),
    ),
    interested=Mail(
        "Offene Fragen zu {house}",
        (
            "falls beim Ansehen etwas offen geblieben ist: Antworten Sie einfach auf diese Mail.",
            "{ask}",
        ),
    ),
    last=Mail(
        "Soll ich es dabei belassen?",
        (
            "ich habe nichts von Ihnen gehört, daher ist dies meine letzte Mail zu dem Thema.",
            "Wird es später eines für {company}, erreicht mich eine Antwort auf diese Mail.",
        ),
    ),
)

DUTCH: Final = Phrases(
    greeting="Beste {first},",
    greeting_formal="Geachte {name},",
    greeting_nobody="Goedendag,",
    capital=True,
    quotes=("“", "”"),
    seen="op uw website schrijft u: {quote}",
    news="op uw website las ik: {quote}",
    offered="in het aanbod van {company} viel {quote} mij op.",
    no_claim="ik kwam {company} tegen.",
    ask="Zou een kort gesprek zinvol zijn?",
    more="Meer hierover: {link}",
    closing="Met vriendelijke groet",
    intro=Mail(
        "Een vraag aan {company}",
        (
            "{opening}",
            "Daardoor vroeg ik me af of u hier iets aan zou hebben. {offering}",
            "Of dit nu voor u speelt, weet ik niet. {ask}",
            "{more}",
        ),
    ),
    nudge=Mail(
        "{house} en {company}",
        (
            "een paar dagen geleden schreef ik u, misschien op een slecht moment. Dit was het, in het kort.",
            "{offering}",
            "{ask} Gaat bij {company} iemand anders hierover, dan is een naam genoeg.",
        ),
    ),
    follow_up=Mail(
        "Nog een gedachte voor {company}",
        (
            "{opening}",
            "Dat deed me denken aan mijn vorige mail. {offering}",
            "{ask} Eén regel is genoeg, ook voor een nee.",
            "{more}",
        ),
    ),
    interested=Mail(
        "Vragen over {house}",
        (
            "is er na het kijken nog iets onduidelijk, antwoord dan gewoon op deze mail: ik reageer zelf.",
            "{ask}",
        ),
    ),
    last=Mail(
        "Zal ik het hierbij laten?",
        (
            "ik heb niets van u gehoord, dus dit is mijn laatste mail hierover.",
            "Gaat het later toch spelen bij {company}, dan bereikt een antwoord op deze mail mij.",
        ),
    ),
)
