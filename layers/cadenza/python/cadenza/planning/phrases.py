"""The offline planner's words, a set a language. Plain, short, and without a claim of their own.

Placeholders: ``{company}`` is the recipient's and ``{house}`` the sender's, ``{first}`` and ``{name}`` are the
recipient's, ``{quote}`` is a sentence of their site, ``{link}`` the sender's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail's fixed parts: ``lines`` are its paragraphs; "{…}" of the planner's are filled in."""

    subject: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phrases:
    """Everything the offline planner says in one language."""

    greeting: str
    greeting_formal: str
    greeting_nobody: str
    quotes: tuple[str, str]
    seen: str
    news: str
    offered: str
    no_claim: str
    ask: str
    more: str
    closing: str
    intro: Mail
    nudge: Mail
    follow_up: Mail
    interested: Mail
    last: Mail


PHRASES: Mapping[str, Phrases] = MappingProxyType(
    {
        "en": Phrases(
            greeting="Hello {first},",
            greeting_formal="Dear {name},",
            greeting_nobody="Hello,",
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
                    "That is why I am writing. {offering}",
                    "I do not know whether this is a topic for you at present. {ask}",
                    "{more}",
                ),
            ),
            nudge=Mail(
                "{house} and {company}",
                (
                    "I wrote a few days ago, and my mail may have come at a bad time. In short: {offering}",
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
        ),
        "de": Phrases(
            greeting="Guten Tag {name},",
            greeting_formal="Guten Tag {name},",
            greeting_nobody="Guten Tag,",
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
                    "Deshalb schreibe ich Ihnen. {offering}",
                    "Ob das für Sie gerade ein Thema ist, weiß ich nicht. {ask}",
                    "{more}",
                ),
            ),
            nudge=Mail(
                "{house} und {company}",
                (
                    (
                        "vor ein paar Tagen habe ich Ihnen geschrieben, vielleicht zur falschen Zeit. Kurz gesagt: "
                        "{offering}"
                    ),
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
        ),
        "pt": Phrases(
            greeting="Olá {first},",
            greeting_formal="Bom dia {name},",
            greeting_nobody="Bom dia,",
            quotes=("“", "”"),
            seen="no vosso site escrevem: {quote}",
            news="li no vosso site: {quote}",
            offered="entre o que {company} oferece, reparei em {quote}.",
            no_claim="dei com a existência de {company}.",
            ask="Faria sentido uma breve conversa?",
            more="Mais informação: {link}",
            closing="Com os melhores cumprimentos",
            intro=Mail(
                "Uma pergunta para {company}",
                (
                    "{opening}",
                    "É por isso que escrevo. {offering}",
                    "Não sei se este é um tema para vós neste momento. {ask}",
                    "{more}",
                ),
            ),
            nudge=Mail(
                "{house} e {company}",
                (
                    "escrevi há alguns dias, talvez em má altura. Em resumo: {offering}",
                    "{ask} Se for outra pessoa em {company} a tratar disto, basta-me um nome.",
                ),
            ),
            follow_up=Mail(
                "Mais uma ideia para {company}",
                (
                    "{opening}",
                    "Lembrou-me a minha última mensagem. {offering}",
                    "{ask} Uma linha chega, também para um não.",
                    "{more}",
                ),
            ),
            interested=Mail(
                "Perguntas sobre {house}",
                (
                    "se ficou alguma dúvida, basta responder a esta mensagem: respondo eu.",
                    "{ask}",
                ),
            ),
            last=Mail(
                "Fico por aqui?",
                (
                    "como não tive resposta, esta é a minha última mensagem sobre o assunto.",
                    "Se mais tarde for um tema para {company}, uma resposta a esta mensagem chega até mim.",
                ),
            ),
        ),
        "es": Phrases(
            greeting="Hola {first}:",
            greeting_formal="Buenos días, {name}:",
            greeting_nobody="Buenos días:",
            quotes=("«", "»"),
            seen="En su sitio web escriben: {quote}",
            news="He leído en su sitio web: {quote}",
            offered="Entre lo que ofrece {company} me ha llamado la atención {quote}.",
            no_claim="Me he encontrado con {company}.",
            ask="¿Tendría sentido una breve llamada?",
            more="Más información: {link}",
            closing="Un cordial saludo",
            intro=Mail(
                "Una pregunta para {company}",
                (
                    "{opening}",
                    "Por eso les escribo. {offering}",
                    "No sé si es un tema para ustedes en este momento. {ask}",
                    "{more}",
                ),
            ),
            nudge=Mail(
                "{house} y {company}",
                (
                    "Les escribí hace unos días, quizá en mal momento. En resumen: {offering}",
                    "{ask} Si en {company} lo lleva otra persona, me basta con un nombre.",
                ),
            ),
            follow_up=Mail(
                "Una idea más para {company}",
                (
                    "{opening}",
                    "Me ha recordado mi último correo. {offering}",
                    "{ask} Basta una línea, también para decir que no.",
                    "{more}",
                ),
            ),
            interested=Mail(
                "Preguntas sobre {house}",
                (
                    "Si queda alguna duda, basta con responder a este correo: contesto yo.",
                    "{ask}",
                ),
            ),
            last=Mail(
                "¿Lo dejamos aquí?",
                (
                    "Como no he tenido noticias, este es mi último correo sobre el tema.",
                    "Si más adelante lo fuera para {company}, una respuesta a este correo me llegará.",
                ),
            ),
        ),
        "fr": Phrases(
            greeting="Bonjour {name},",
            greeting_formal="Bonjour {name},",
            greeting_nobody="Bonjour,",
            quotes=("« ", " »"),
            seen="sur votre site, vous écrivez : {quote}",
            news="j’ai lu sur votre site : {quote}",
            offered="parmi ce que propose {company}, j’ai remarqué {quote}.",
            no_claim="j’ai découvert {company}.",
            ask="Un court échange aurait-il un sens ?",
            more="Pour en savoir plus : {link}",
            closing="Bien cordialement",
            intro=Mail(
                "Une question pour {company}",
                (
                    "{opening}",
                    "C’est pourquoi je vous écris. {offering}",
                    "Je ne sais pas si le sujet vous occupe en ce moment. {ask}",
                    "{more}",
                ),
            ),
            nudge=Mail(
                "{house} et {company}",
                (
                    "je vous ai écrit il y a quelques jours, peut-être au mauvais moment. En bref : {offering}",
                    "{ask} Si quelqu’un d’autre chez {company} s’en occupe, un nom me suffit.",
                ),
            ),
            follow_up=Mail(
                "Encore une idée pour {company}",
                (
                    "{opening}",
                    "Cela m’a rappelé mon dernier message. {offering}",
                    "{ask} Une ligne suffit, même pour dire non.",
                    "{more}",
                ),
            ),
            interested=Mail(
                "Des questions sur {house} ?",
                (
                    "s’il reste une question, répondez simplement à ce message : je vous répondrai moi-même.",
                    "{ask}",
                ),
            ),
            last=Mail(
                "J’en reste là ?",
                (
                    "sans nouvelles de votre part, ce message est le dernier à ce sujet.",
                    "Si le sujet devait se poser plus tard chez {company}, une réponse à ce message me parviendra.",
                ),
            ),
        ),
    }
)
