"""French, Spanish, Portuguese and Italian."""

from __future__ import annotations

from typing import Final

from cadenza.planning.phrases.model import Mail, Phrases

FRENCH: Final = Phrases(
    greeting="Bonjour {name},",
    greeting_formal="Bonjour {name},",
    greeting_nobody="Bonjour,",
    capital=True,
    quotes=("« ", " »"),
    seen="sur votre site, vous écrivez : {quote}",
    news="j’ai lu sur votre site : {quote}",
    offered="parmi ce que propose {company}, j’ai remarqué {quote}.",
    no_claim="j’ai découvert {company}.",
    ask="Un court échange vous semblerait-il utile ?",
    more="Pour en savoir plus : {link}",
    closing="Bien cordialement",
    intro=Mail(
        "Une question pour {company}",
        (
            "{opening}",
            "Je me suis demandé si ceci pouvait vous être utile. {offering}",
            "Je ne sais pas si le sujet vous occupe en ce moment. {ask}",
            "{more}",
        ),
    ),
    nudge=Mail(
        "{house} et {company}",
        (
            "je vous ai écrit il y a quelques jours, peut-être au mauvais moment. Voici l’essentiel.",
            "{offering}",
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
)

SPANISH: Final = Phrases(
    greeting="Hola {first}:",
    greeting_formal="Buenos días, {name}:",
    greeting_nobody="Buenos días:",
    capital=True,
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
            "Me pregunté si esto podría serles útil. {offering}",
            "No sé si es un tema para ustedes en este momento. {ask}",
            "{more}",
        ),
    ),
    nudge=Mail(
        "{house} y {company}",
        (
            "Les escribí hace unos días, quizá en mal momento. Esto era, en pocas palabras.",
            "{offering}",
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
)

PORTUGUESE: Final = Phrases(
    greeting="Olá {first},",
    greeting_formal="Bom dia {name},",
    greeting_nobody="Bom dia,",
    capital=True,
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
            "Perguntei-me se isto vos poderia ser útil. {offering}",
            "Não sei se o tema vos interessa neste momento. {ask}",
            "{more}",
        ),
    ),
    nudge=Mail(
        "{house} e {company}",
        (
            "escrevi há alguns dias, talvez em má altura. Fica aqui o essencial.",
            "{offering}",
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
)

ITALIAN: Final = Phrases(
    greeting="Buongiorno {first},",
    greeting_formal="Buongiorno {name},",
    greeting_nobody="Buongiorno,",
    capital=False,
    quotes=("«", "»"),
    seen="sul vostro sito scrivete: {quote}",
    news="ho letto sul vostro sito: {quote}",
    offered="tra ciò che offre {company} ho notato {quote}.",
    no_claim="ho scoperto {company}.",
    ask="Avrebbe senso sentirci brevemente al telefono?",
    more="Per saperne di più: {link}",
    closing="Cordiali saluti",
    intro=Mail(
        "Una domanda per {company}",
        (
            "{opening}",
            "Mi è venuto da pensare che questo potrebbe esservi utile. {offering}",
            "Non so se per voi sia un tema in questo momento. {ask}",
            "{more}",
        ),
    ),
    nudge=Mail(
        "{house} e {company}",
        (
            "vi ho scritto qualche giorno fa, forse nel momento sbagliato. Ecco l’essenziale.",
            "{offering}",
            "{ask} Se in {company} se ne occupa un’altra persona, mi basta un nome.",
        ),
    ),
    follow_up=Mail(
        "Ancora un’idea per {company}",
        (
            "{opening}",
            "Questo mi ha ricordato la mia ultima mail. {offering}",
            "{ask} Basta una riga, anche per dire di no.",
            "{more}",
        ),
    ),
    interested=Mail(
        "Domande su {house}",
        (
            "se è rimasto qualche dubbio, basta rispondere a questa mail: rispondo io.",
            "{ask}",
        ),
    ),
    last=Mail(
        "La chiudiamo qui?",
        (
            "non avendo ricevuto risposta, questa è la mia ultima mail sull’argomento.",
            "Se più avanti diventasse un tema per {company}, una risposta a questa mail mi arriverà.",
        ),
    ),
)
