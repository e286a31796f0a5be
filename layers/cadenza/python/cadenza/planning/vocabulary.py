"""Words of mails that state nothing, a set a language, and words that claim too much: what `proof` counts by.

Everything is written without accents and in lower case, as `folded` makes it. Empty words carry no meaning of their
own, or are those in which one writes, asks, thanks and takes leave, or say that a company does something without saying
what, so that "you make" may stand for "we build".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import cache
from types import MappingProxyType

from cadenza.planning.phrases import PHRASES


def folded(text: str) -> str:
    """``text`` in lower case and without accents, for comparing words."""
    apart = unicodedata.normalize("NFKD", text.casefold().replace("ø", "o").replace("ł", "l"))
    return "".join(c for c in apart if not unicodedata.combining(c)).replace("’", "'")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One language's. The expressions match `folded` text."""

    empty: frozenset[str]
    """They need no proof."""
    you: re.Pattern[str]
    we: re.Pattern[str]
    seen: re.Pattern[str]
    """"I read that …": what follows is about the recipient, whoever the grammar's subject is."""
    no: re.Pattern[str]
    stem_letters: int = 5
    """How many first letters two forms of a word share; fewer where verbs change more."""


def _vocabulary(*, words: str, you: str, we: str, seen: str, no: str, stem_letters: int = 5) -> Vocabulary:
    def of(pattern: str) -> re.Pattern[str]:
        return re.compile(rf"(?<![\w'])(?:{pattern})(?!\w)")

    return Vocabulary(frozenset(words.split()), of(you), of(we), of(seen), of(no), stem_letters)


@cache
def stating_nothing(language: str) -> frozenset[str]:
    """The words of a language that need no proof: its vocabulary's, and all that the offline planner's phrases use."""
    vocabulary, phrases = VOCABULARIES.get(language), PHRASES.get(language)
    told = folded(str(astuple(phrases))) if phrases is not None else ""
    words: list[str] = re.findall(r"[^\W\d_]+", told)
    return frozenset(words) | (vocabulary.empty if vocabulary is not None else frozenset[str]())


def reads_as(text: str, language: str) -> bool:
    """Whether about as many words of ``text`` are ``language``'s own as any other's; True if it is too short."""
    words = re.findall(r"[^\W\d_]+", folded(text))
    counts = {tag: sum(word in vocabulary.empty for word in words) for tag, vocabulary in VOCABULARIES.items()}
    return counts.get(language, 0) >= _CLOSE * max(counts.values())


_CLOSE = 0.75


VOCABULARIES: Mapping[str, Vocabulary] = MappingProxyType(
    {
        "en": _vocabulary(
            words="""
            able about across after afternoon again ago all already also although always am and another answer answers
            any anybody anyone anything are around ask asking asks away back bad because been before behalf being
            better between bit both brief briefly bring brings brought build builds built business busy but call calls
            came can case chance chat cheers close closer colleague colleagues come comes companies company concerning
            conversation could create creates currently day days deal deals dear decide decides describe describes did
            do does doing done during each earlier either else else's email enough even ever every exactly example far
            feel few fifteen find fine first fit for forward found  friday from further get gets give gives glad
            gladly good got greetings had hand handle handles happy has have hear heard hello help helped helping
            helps her here him his hope hour hours how idea instance interest interested interesting into it's its
            itself just keep keeps kind knew know last later least leave less let let's letter like line look looked
            looking lot lots made mail mails make makes making many matter may maybe mean means mention mentioned
            message messages might minute minutes moment monday month months more morning most much must myself name
            need needs never next nobody not note nothing notice noticed now occasion off offer offered offers often
            okay once one only onto open other our ours out over own page pages part per perfectly perhaps person
            phone place please point possible present probably produce produces provide provides question questions
            quick quickly quite rather reach reaches read reading reads real really reason recently regarding regards
            relevant replies reply responsible right run runs said same saw say says see seen sell sells send sense
            sent serve serves shall share she short should show shows simply since sincerely site some somebody
            somehow someone something sometimes soon sorry sort speak stand stands start still subject such suit suits
            supplies supply sure take takes talk team teams telephone tell tells than thank thanks that the their them
            themselves then there these they thing things think this those though thought thoughts three through
            thursday time times today today's told tomorrow too took topic true try tuesday two under understand
            unless until upon use used useful uses using very via want wanted wants warm was way ways website
            wednesday week weeks welcome well were what whatever when where whether which while who whom why will win
            wins wish wishes with within without won wonder wondering word words work worked working works worth would
            write writes writing written wrong wrote year years yesterday yet you your yours yourself yourselves
            """,
            you=r"you|your|yours|yourselves|you're|you've|you'll|you'd",
            we=r"i|we|our|ours|us|my|me|we're|we've|we'll|i'm|i've|i'll|i'd",
            seen=(
                r"(?:i|we) (?:have |just |recently |also )*(?:saw|seen|see|read|noticed|notice|noted|learned|learnt|"
                r"understand|gather|found|heard|know|came across|like|liked|love|loved|admire|was impressed|"
                r"am impressed|"
                r"enjoyed|congratulate)|congratulations|according to"
            ),
            no=r"not|no|never|none|nobody|nothing|neither|nor|without|cannot|\w+n't",
        ),
        "de": _vocabulary(
            stem_letters=4,
            words="""
            aber aktuell alle alles als anbieten andere anderem anderen anderer anderes angebot angesehen anruf
            anrufen ansehen antwort antworte antworten arbeit arbeiten auch auf aufgefallen aus bald bauen baut bei
            beim beispiel belassen beschreiben beschreibt besser betreff betreiben betreibt betrieb bezug bieten
            bietet bin bis bitte brauchen brief bringt da dabei dafur daher damit dank danke dann daran darf daruber
            darum das dass davon dazu dem den denn der derzeit des deshalb dich die dienstag diese diesem diesen
            dieser dieses dir doch donnerstag dort drei du durch durfen ein eine einem einen einer eines einfach
            einige einmal eins email er erinnert erreichen erreicht erste ersten es etwa etwas euch euer eure fall
            falls falsch falschen fertigen fertigt finde finden firma frage fragen frau freitag freue freuen
            freundliche freundlichem freundlichen fruher fur ganz gar geben geblieben gebracht gedanke gedanken
            geehrte geehrter gefunden gegen gehort gelegenheit gelesen genau genugt gerade gern gerne geschrieben
            gesehen gesprach gesprache gestern gewann gewesen gewonnen gibt grund gruss grusse grussen gut guten habe
            haben hallo hat hatte hatten helfen her herr herstellen herzliche heute hier hilfe hilft hin hoffe hore
            ich idee ihnen ihr ihre ihrem ihren ihrer ihres immer interessant interesse interessiert ist ja jahr jahre
            jede jeden jeder jedes jemand jene jetzt kann kein keine keinen koennen kollege kollegen kollegin kommen
            kommt konnen konnte konnten kurz kurze kurzer kurzes lange lassen lese lesen letzte letzten letzter liebe
            lieber liefern liefert lohnt machen macht mail mails man manchmal mehr mein meine meinem meinen meiner
            melden mich minute minuten mir mit mittwoch mochte mochten moglich monat monate montag morgen muss mussen
            nach nachricht nachste nachsten name namen nehmen nein nenne nennen nicht nichts niemand noch nur nutzen
            nutzlich ob oder offen offene offenen oft ohne ort paar passen passt person punkt reicht richtig richtige
            sache sage sagen sagt schicken schlecht schon schreibe schreiben schreibt sehe sehen sehr seien sein seit
            seite seiten selbst senden sich sie sind sinn sinnvoll so soll sollte sollten spater sprechen stehen steht
            stellen stunde stunden tag tage tagen team teil telefon telefonat thema tun uber und uns unser unsere
            unserem unseren unserer unseres unter unternehmen verkaufen versuchen viel viele vielleicht vom von vor
            vorhin wann war waren warum was webseite website weil weise weiss weit weitere weiteren welche welcher
            welches wenig wenigen wenn wer werden wie will willkommen wir wird wissen wo woche wochen wohl wollen wort
            wunsche wurde wurden zeige zeigen zeile zeit zum zur zustandig zwar zwei zwischen
            """,
            you=r"sie|ihr|ihre|ihren|ihrem|ihrer|ihres|ihnen|euch|euer|eure|du|dein|deine",
            we=r"ich|wir|unser|unsere|unseren|unserem|unserer|unseres|uns|mein|meine|meinem|meiner|mich|mir",
            seen=(
                r"(?:ich|wir) (?:habe|haben) \w*\s?(?:gelesen|gesehen|bemerkt|gehort|erfahren|gefunden)|"
                r"habe ich gelesen|ich (?:habe|sehe|lese|weiss|verstehe|bewundere|gratuliere)|mir .{0,80}aufgefallen|"
                r"laut"
            ),
            no=r"nicht|kein|keine|keinen|keinem|keiner|nie|niemals|niemand|nichts|ohne|weder",
        ),
        "fr": _vocabulary(
            stem_letters=4,
            words="""
            actuellement ai aide aider aidons alors an annee annees ans appel appeler apres as assez au aujourd
            aujourd'hui aurais aurait aussi autre autres aux avait avant avec avez avoir avons beaucoup besoin bien
            bientot bienvenue bon bonjour bonne bref brievement car cas ce ceci cela celle celui ces cet cette ceux
            chaque cher chere chez chose choses collegue collegues comme comment convient cordialement court courte
            dans de decrivez deja demain depuis dernier derniere des desole deux devez devrait dire dit dites doit
            donc donne donner dont droit du echange echanger ecrire ecris ecrit ecrivant ecrivez elle elles email en
            encore entendu entre entreprise envoie envoyer equipe equipes espere essayer est et etaient etait ete etes
            etre exactement exemple fabriquer fabriquez facon faire fait fois gagne garder heure heures heureux hier
            hui ici idee il ils interessant interesse interet jamais je jeudi jour jours la laisse laisser le les leur
            leurs lieu ligne lire lis loin lors lu lui lundi ma madame mail mails maintenant mais mardi mauvais me
            meme merci mercredi mes message messages mieux minute minutes moi-meme moins mois moment mon monsieur
            montre montrer mot mots ne nom non nos notre nous nouvelles occupe offre offrez offrir on ont ou ouvert
            page pages par parce parfois parler part parviendra pas pendant pense personne peu peut peut-etre peuvent
            plus point pose poser possible pour pourquoi pourrais pourrait pouvez pouvons premier premiere prendre
            presente presentez prochain produire produisez propos propose proposer proposez proposons quand que quelqu
            quelqu'un quelque quelques question questions qui quoi raison rappele ravi realiser regarde regarder
            remarque remporte repondez repondrai repondre reponse reste rester rien sa sais salutations sans savoir se
            segun selon semaine semaines sens ses si simplement sinceres site societe sommes son sont sorte souhaite
            sous souvent suffit suis suivant sujet sur ta tard te temps tes ton toujours tous tout toute toutes
            travail travailler tres trois trouve trouver tu un une utile utiliser vendez vendre vendredi venir vers
            veut vient voici voila voir vois volontiers vos votre voudrais voudrait voulez vous vu y
            """,
            you=r"vous|votre|vos|tu|ton|ta|tes",
            we=r"je|nous|notre|nos|mon|ma|mes|moi|j'\w+",
            seen=(
                r"j'ai (?:\w+ )?(?:lu|vu|remarque|note|appris|decouvert|trouve)|je (?:vois|lis|sais|comprends|constate|"
                r"admire)|felicitations|bravo|selon"
            ),
            no=r"ne|n'\w+|pas|non|jamais|rien|aucun|aucune|sans|ni",
        ),
        "es": _vocabulary(
            stem_letters=4,
            words="""
            abierto actualmente adelante ahora al algo alguien algun alguna algunos alli ano anos antes aqui asunto
            atencion atentamente aun aunque ayer ayuda ayudamos ayudar basta bienvenido breve buenas bueno buenos cada
            casi caso charla colega colegas como compania con construyen contestar contesto conversacion cordial
            cordiales correcta correcto correo correos corto cosa cual cuales cuando dar de debe deberia decir dejamos
            dejar del describen desde desea despues dia dias dice dicen dime donde dos durante e ejemplo el ella ellos
            empresa en encontrado encontrar entonces entre enviar equipo era eran es esa escribe escriben escribi
            escribir escribo ese eso espero esta estado estamos estan estar estaria estas este estimada estimado esto
            estos estoy exactamente fabrica fabrican feliz fuera ganaron gano gracias gusto ha habia hablar hacen
            hacer hacia han hasta he hemos hola hora horas hoy idea informacion intentar interes interesa interesante
            jueves la las le leer lei leido lejos les linea llamada llamado llamar llegara lleva lo los luego lugar
            lunes mal mala manana manera martes mas me mejor menos mensaje mes meses mi mientras miercoles minuto
            minutos mis mismo momento mostrar mucho muchos muy nada nadie necesita necesitan no nombre nos nosotros
            noticias nuestra nuestras nuestro nuestros nunca o ofrece ofrecemos ofrecen oido os otra otras otro otros
            pagina palabra para parte pero persona pienso poco podemos podria podrian por porque posible pregunta
            preguntas primera primero producen pronto proporcionan proximo puede pueden pues punto que queda quien
            quiere quieren quisiera quiza quizas razon recordado responde responder respuesta resumen sabe saber
            saludo saludos se segun semana semanas senor senora sentido ser seria si siempre siento simplemente sin
            sitio sobre somos son soy su sus tal tambien tarde te tema tiempo tiene tienen tipo toda todas todo todos
            tomar trabajar trabajo tras tres tu u ultima ultimo un una unas unos usar usted ustedes util veces venden
            venir veo ver vez vi viendo viernes visto vuestra vuestro web y ya yo
            """,
            you=r"usted|ustedes|su|sus|vuestro|vuestra|vuestros|vuestras|os|tu|tus|vosotros",
            we=r"yo|nosotros|nuestro|nuestra|nuestros|nuestras|nos|mi|mis|me|\w{3,}(?:amos|emos)",
            seen=(
                r"(?:he|hemos) (?:leido|visto|notado|sabido)|(?:lei|vi|veo|note|se) que|"
                r"me ha llamado la atencion|segun|felicidades|enhorabuena"
            ),
            no=r"no|nunca|nada|nadie|ningun|ninguna|sin|ni|tampoco",
        ),
        "pt": _vocabulary(
            stem_letters=4,
            words="""
            a aberto abraco actualmente agora ainda ajuda ajudamos ajudar algo alguem algum alguma alguns ali altura
            amanha ano anos antes ao aos apos aqui as assunto ate atenciosamente atualmente basta basta-me bem
            bem-vindo boa bom breve cada cara caro caso certa certo chamada chega coisa colega colegas com como
            companhia constroem conversa conversar cumprimentos curta curto da dar das de deixar depois descrevem
            desde desta deste deve deveria dia dias disso disto diz dizer do dois dos duas durante duvida e ela elas
            ele eles em email empresa encontrar encontrei entao entre enviar equipa equipe era eram escreve escrevem
            escrever escrevi escrevo espero essa esse esta estao estar estas este estes estive estou eu exatamente
            exemplo fabrica fabricam falar faria faz fazem fazer feliz fico ficou foi for fornecem ganharam ganhou
            gostaria gosto hoje hora horas ideia informacao interessa interessante interesse isso isto ja lembrou
            lembrou-me ler lhe lhes li lido ligar linha lo longe lugar ma mais mas mau me melhor melhores menos
            mensagem mes meses mesmo meu meus mim minha minhas minuto minutos momento mostrar muito muitos na nada nao
            nas nessa nesse nesta neste ninguem no nome nos nossa nossas nosso nossos notei nunca o obrigada obrigado
            oferece oferecem oferecemos ola onde ontem os ou outra outras outro outros pagina palavra para parte penso
            pergunta perguntas pessoa pode podem podemos poderia pois ponto por porque possivel pouco precisa precisam
            prezada prezado primeira primeiro produzem proxima proximo quais qual quando quarta quase que quem quer
            querem quinta razao reparei responde responder respondo resposta resumo saber sao saudacoes se segunda
            segundo sei sem semana semanas sempre senhor senhora sentido ser seria seu seus sexta simplesmente sinto
            site sobre somos sou soube sua suas tal talvez tambem tarde te tem tema temos tempo tenho tentar ter terca
            tipo toda todas todo todos tomar trabalhar trabalho tratar tres tu ultima ultimo um uma umas uns usar util
            vejo vendem venha ver vez vezes vi vir visto voce voces vos vossa vossas vosso vossos
            """,
            you=r"voce|voces|vos|vosso|vossa|vossos|vossas|seu|sua|seus|suas|o senhor|a senhora|tu|teu|tua",
            we=r"eu|nosso|nossa|nossos|nossas|meu|minha|me|mim|\w{3,}(?:amos|emos)",
            seen=r"(?:li|vi|vejo|reparei|notei|soube|sei) (?:que|no|na|em)|segundo|parabens|de acordo com",
            no=r"nao|nunca|nada|ninguem|nenhum|nenhuma|sem|nem|tampouco",
        ),
        "it": _vocabulary(
            stem_letters=4,
            words="""
            abbiamo adesso aiutare aiutiamo aiuto allora altra altri altro anche ancora anni anno aperto argomento
            attualmente avere avete azienda basta bene bisogno breve buongiorno cara caro caso che chi chiamare
            chiamata ci ciao collega colleghi come con conversazione cordiali cortese cosa costruite cui da dal dalla
            dare degli dei del della delle dello deve di dire distinti dite domanda domande domani dopo dove dovrebbe
            due durante e ed email era erano esempio essere fa fabbricate fare fate felice fino fornite forse fra
            gentile gia giorni giorno giovedi giusta giusto gli grazie ha hai hanno ho i idea ieri il in interessante
            interesse inviare io la lasciare lavorare lavoro le leggere lei letto lo lontano loro lui lunedi luogo ma
            mai mail martedi meglio meno mercoledi mese mesi messaggio mi mia miei minuti minuto mio modo molto
            momento mostrare ne nei nel nella nessuno niente noi nome non nostra nostri nostro notato nulla o offre
            offriamo offrite oggi ogni ora ore pagina parlare parola parte penso per perche persona piacere piu poco
            possiamo possibile possono potete potrebbe prendere presto prima primo producete prossimo punto puo
            qualche qualcosa qualcuno quale quali quando quasi quello questa questi questo qui quindi ragione riga
            rispondere risposta saluti sapere sapete sarebbe scrivere scrivete scrivo se secondo semplicemente sempre
            senso sentito senza settimana settimane si siamo siete signor signora sito so societa sono spero stato
            stesso su sua sul sulla suo suoi tale tardi telefonata tema tempo ti tipo tra tre trovare trovato tu tutta
            tutti tutto ultima ultimo un una uno usare utile vedere vedo vendete venerdi venire vi vinto visto voi
            volete volta volte vorrebbe vorrei vostra vostri vostro vuole
            """,
            you=r"voi|vostro|vostra|vostri|vostre|lei|suo|sua|suoi|sue|tu|tuo|tua",
            we=r"io|noi|nostro|nostra|nostri|nostre|mio|mia|mi|ci|\w{2,}iamo",
            seen=(
                r"(?:ho|abbiamo) (?:letto|visto|notato|saputo|scoperto)|(?:vedo|so|leggo) che|secondo|"
                r"complimenti|congratulazioni"
            ),
            no=r"non|mai|niente|nulla|nessun|nessuno|nessuna|senza",
        ),
        "nl": _vocabulary(
            words="""
            aan aanbod al alle alles als altijd ander andere antwoord antwoorden bedankt bedrijf bellen ben bent
            bericht beter bieden biedt bij bijna binnenkort blij bouwen bouwt collega collegas daar daarna daarom dag
            dagen dan dank dat de deel denk deze die ding dinsdag dit doen doet donderdag door drie dus een eerste
            elke email en er even geachte gebruiken gedachte geen gehoord gelezen gemerkt genoeg geschreven gesprek
            geval geven gevonden gewonnen gewoon gezien gisteren goed graag groet groeten haar had hadden hallo heb
            hebben hebt heeft heer helpen helpt hem het hier hij hoe hoop hulp hun idee ieder iemand iets ik in
            interessant interesse is jaar jaren je jij jouw juiste jullie kan keer komen kort korte kunnen kunt
            laatste las laten later lees leveren levert lezen maakt maand maandag maanden maar mag mail mails maken
            manier me meer met mevrouw mij mijn minder minuten minuut misschien moet moeten mogelijk moment momenteel
            morgen naam naar nemen niemand niet niets nodig nog nooit nu nuttig of omdat onder onderwerp ons onze ook
            op open opgevallen over pagina past persoon plaats praten precies proberen produceert punt reden regel
            schreef schrijf schrijft schrijven sinds site sturen team telefoon tijd tijdens toch tonen tot tussen twee
            u uit uur uw van vandaag veel ver verder verkeerd verkoopt viel vinden volgende volgens vond voor
            voorbeeld vraag vragen vriendelijke vrijdag waar waarom wanneer waren was wat we website week weet weinig
            weken wel welkom werk werken weten wie wij wil willen woensdag won woord zag zal ze zeer zeggen zegt zelf
            zelfde zie zien zij zijn zin zinvol zoals zonder zou zouden zult
            """,
            you=r"u|uw|jij|je|jou|jouw|jullie",
            we=r"ik|wij|we|onze|ons|mijn|mij|me",
            seen=(
                r"(?:ik|wij|we) (?:las|lees|zag|zie|heb gelezen|heb gezien|merkte|weet|hoorde|bewonder)|mij op|"
                r"me op|volgens|gefeliciteerd"
            ),
            no=r"niet|geen|nooit|niets|niemand|zonder|noch",
        ),
    }
)

# What flatters, ranks or counts: no paraphrase may bring it in. Beginnings of words.
STRONG = re.compile(
    r"\b(?:best\b|leading|leader|impress|amazing|excellent|outstanding|remarkabl|renowned|reputa|famous|unique|"
    r"unrivall|"
    r"innovativ|pioneer|world-?class|award|trusted|successful|thriv|largest|biggest|finest|fastest|oldest|foremost|"
    r"number one|fuhrend|marktfuhr|beeindruck|hervorragend|ausgezeichnet|grossartig|einzigartig|beruhmt|renommier|"
    r"erfolgreich|grosste[rn]?\b|preisgekront|vorbildlich|meilleur|impressionn|remarquabl|exceptionnel|renomm|celebre|"
    r"inegal|plus grand|prestigi|primee?s?\b|lider|mejor(?:es)?\b|impresion|excelen|destacad|reconocid|famos|"
    r"unic[oa]s?\b|"
    r"premiad|galardonad|prestigios|melhor(?:es)?\b|impressiona|notavel|renomad|reconhecid|maior(?:es)?\b|migliore?\b|"
    r"migliori\b|eccellen|rinomat|famos|leader|premiat|toonaangevend|indrukwekkend|uitstekend|beroemd|bekroond|"
    r"grootste|"
    r"beste\b|"
    r"(?:ten|eleven|twelve|twenty|thirty|forty|fifty|sixty|hundred|thousand|million|dozen|zwanzig|dreissig|vierzig|"
    r"funfzig|hundert|tausend|million|vingt|trente|quarante|cinquante|cent|mille|veinte|treinta|cuarenta|cincuenta|"
    r"cien|"
    r"mil|vinte|trinta|quarenta|cinquenta|cem|venti|trenta|cinquanta|cento|twintig|dertig|vijftig|honderd|duizend)s?\b)"
    r"\w*"
)
