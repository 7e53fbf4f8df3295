"""Small English: stems, word classes, word groups, numbers. Data and pure functions that the reader and planner share.

Not a dictionary: only words that carry grammar (determiners, prepositions, auxiliaries), what stems cannot bring
together ("won" and "win", "tall" and "height"), and units. Nothing here knows any fact.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

from airoagent.models.english.thesaurus import GROUP_WORDS

__all__ = [
    "AUXILIARIES",
    "BASE_VERBS",
    "COLOURS",
    "DETERMINERS",
    "LIGHT",
    "LINKS",
    "MONTHS",
    "NEGATIONS",
    "NUMBER_WORDS",
    "OPPOSITES",
    "PLACE_PREPOSITIONS",
    "PREPOSITIONS",
    "PRONOUNS",
    "STOPWORDS",
    "UNITS",
    "WORD",
    "fold",
    "groups_of",
    "is_code",
    "looks_verbal",
    "near_words",
    "sentence_stems",
    "stem",
    "stem_set",
    "stems",
    "word_set",
    "words",
]


def word_set(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


MONTHS = word_set("january february march april may june july august september october november december")
DETERMINERS = word_set("a an the this that these those its his her their our your my some any each every no both such")
PRONOUNS = word_set("he she it they him them i we you us me who whom himself herself itself themselves one")
PREPOSITIONS = word_set(
    "of in on at by for with from to into onto over under between among through during before after since until till "
    "about around against across along near beside behind above below within without inside outside upon off as than "
    "per via towards toward beyond despite like amid throughout"
)
PLACE_PREPOSITIONS = word_set(
    "in at on near from to into outside inside above below beside between across along around off"
)
CONJUNCTIONS = word_set(
    "and or but nor so yet because although though while whereas if unless when where which that who whose"
)
AUXILIARIES = word_set(
    "is are was were be been being am do does did has have had will would can could shall should may might must cannot"
)
LINKS = word_set("is are was were became becomes remains remained called")
NEGATIONS = word_set("not never no nobody none neither nor without cannot")
QUESTION_WORDS = word_set("who whom whose what which when where why how")
STOPWORDS = (
    DETERMINERS
    | PRONOUNS
    | PREPOSITIONS
    | CONJUNCTIONS
    | AUXILIARIES
    | QUESTION_WORDS
    | word_set(
        "s t there here also very just more most much many please tell me give name say know not then only "
        "even own up out "
        "down again too still already ever first's whether exactly"
    )
)
COLOURS = word_set(
    "red orange yellow green blue purple violet pink brown black white grey gray gold golden silver scarlet crimson "
    "turquoise beige cream maroon navy reddish bluish greenish"
)
_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
NUMBER_WORDS = {word: value for value, word in enumerate(_TO_TWENTY.split())} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "hundred": 100,
    "thousand": 1000,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "dozen": 12,
}

# What a measure is counted in, by the kind of question that asks for it.
UNITS: dict[str, frozenset[str]] = {
    "length": word_set(
        "metre metres meter meters m km kilometre kilometres kilometer kilometers cm mm centimetre "
        "centimetres millimetre millimetres foot feet ft mile miles mi inch inches in yard yards "
        "light-years light-year centimeters centimeter millimeters storey storeys stories micrometres "
        "nanometres fathoms"
    ),
    "weight": word_set(
        "kg kilogram kilograms kilo kilos gram grams g tonne tonnes ton tons pound pounds lb lbs ounce "
        "ounces mg milligram milligrams microgram micrograms"
    ),
    "time": word_set(
        "second seconds minute minutes hour hours day days week weeks month months year years decade "
        "decades century centuries night nights ms milliseconds generations"
    ),
    "age": word_set("year years day days month months weeks centuries"),
    "money": word_set(
        "dollar dollars euro euros pound pounds pence cent cents franc francs yen rupee rupees crown "
        "crowns krona kronor mark marks usd eur gbp million billion guilders lire pesos roubles"
    ),
    "speed": word_set("km/h kph mph knots km/s m/s hour second"),
    "heat": word_set("degrees degree kelvin celsius fahrenheit °c °f °"),
    "area": word_set("hectare hectares acre acres square km² m² km2 m2"),
    "volume": word_set("litre litres liter liters gallon gallons cubic ml millilitres m³ cups cup"),
    "data": word_set("byte bytes bit bits kb mb gb tb kib mib gib kilobytes megabytes gigabytes terabytes"),
    "share": word_set("percent % per"),
}

# Word forms that endings do not tell: "stem:form,form".
_FORMS = """
license:licence,licences,licensed,license,licenses defense:defence,defences program:programme,programmes
labor:labour neighbor:neighbour,neighbours favor:favour favorit:favourite,favourites behavior:behaviour
organiz:organise,organised,organises,organize,organized recogniz:recognise,recognised,recognize,recognized
win:won write:wrote,written build:built begin:began,begun lead:led draw:drew,drawn make:made give:gave,given
take:took,taken go:went,gone see:saw,seen eat:ate,eaten speak:spoke,spoken buy:bought teach:taught fight:fought
lie:lay,lain,lying fall:fell,fallen fly:flew,flown,flies grow:grew,grown know:knew,known run:ran sing:sang,sung
sink:sank,sunk stand:stood leave:left lose:lost hold:held keep:kept meet:met pay:paid sell:sold send:sent
spend:spent strike:struck swim:swam think:thought throw:threw,thrown wear:wore,worn choose:chose,chosen
break:broke,broken bring:brought catch:caught become:became rise:rose,risen man:men woman:women child:children
people:people foot:feet tooth:teeth live:lives wife:wives die:died,dies,dying death:death dead:dead hang:hung
shoot:shot lay:laid species:species series:series his:his this:this discov:discovery,discoveries do:does,did
light:lit sit:sat sleep:slept feel:felt dig:dug weave:wove,woven tall:tallest,taller high:highest,higher
long:longest,longer deep:deepest,deeper old:oldest,older large:largest,larger heavy:heaviest,heavier
big:biggest,bigger wide:widest fast:fastest shore:shores news:news color:colour,colours,coloured
meter:metre,metres,meters center:centre theater:theatre harbor:harbour honor:honour,honoured
kilometer:kilometre,kilometres travel:travelled,travelling,traveled gray:grey sculpt:sculptor sculptur:sculpture
"""
_IRREGULAR = {
    form: root for root, _, forms in (entry.partition(":") for entry in _FORMS.split()) for form in forms.split(",")
}

WORD = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\w)|[^\W_]+(?:(?:['’.&/+#-]|_+)[^\W_]+)*[+#°%]*|[一-鿿぀-ヿ가-힯]")
_CJK = re.compile(r"[぀-ヿ一-鿿가-힯]")


def fold(text: str) -> str:
    """Lower case without accents: what two spellings of one name have in common."""
    lowered = text.lower().replace("’", "'")
    if lowered.isascii():
        return lowered
    plain = unicodedata.normalize("NFKD", lowered)
    return (
        "".join(c for c in plain if not unicodedata.combining(c)).replace("ø", "o").replace("ł", "l").replace("ß", "ss")
    )


_CODE = re.compile(
    r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)+|\w*[^\W_]_\w+|[A-Z]{2,}\d*|[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*", re.ASCII
)


def is_code(word: str) -> bool:
    """Whether a word is spelled like a name in a program or its settings: "max_connections", "os.path", "getsize"
    only with its module."""
    return _CODE.fullmatch(word) is not None and word.lower() not in ("e.g", "i.e", "a.m", "p.m", "u.s", "u.k")


def words(text: str) -> list[str]:
    """The words of a text as they are written; Chinese, Japanese and Korean characters one by one."""
    if _CJK.search(text):
        text = _CJK.sub(r" \g<0> ", text)
    return WORD.findall(text)


_VOWEL = re.compile(r"[aeiouy]")
_SUFFIXES = ((("ing", 3), ("ed", 3)), (("er", 4), ("or", 5), ("ion", 4), ("ment", 5), ("ly", 4), ("est", 4)))


def _cut(word: str, suffix: str) -> str:
    """The word without its suffix, a doubled consonant made single ("running", "winner")."""
    rest = word[: -len(suffix)]
    if len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "lsaeiouz":
        return rest[:-1]
    return rest


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """What the forms of one word have in common: "designed", "designer" and "designs" give "design"."""
    w = fold(word)
    w = w.removesuffix("'s").strip("'")
    if not w.isascii() or not w.isalpha() or len(w) < 4:
        return _IRREGULAR.get(w, w)
    if w in _IRREGULAR:
        w = _IRREGULAR[w]
    elif w.endswith(("ies", "ied")) and len(w) > 4:
        w = w[:-3] + "y"
    elif w.endswith(("ches", "shes", "xes", "sses", "zes")):
        w = w[:-2]
    elif w.endswith("s") and not w.endswith(("ss", "us", "is")):
        w = w[:-1]
    for suffixes in _SUFFIXES:
        for suffix, least in suffixes:
            if w.endswith(suffix) and len(w) - len(suffix) >= least and _VOWEL.search(w[: -len(suffix)]):
                if suffix == "ion" and w[-4] not in "ts":
                    continue
                w = _cut(w, suffix)
                break
    if w.endswith("y") and len(w) > 3:
        w = w[:-1] + "i"
    return w.removesuffix("e") if len(w) > 3 else w


def stems(text: str) -> list[str]:
    """The stems of a text's words that say something (no stopwords), in order."""
    return [stem(word) for word in words(text) if word.lower() not in STOPWORDS]


@lru_cache(maxsize=1)
def _near() -> dict[str, dict[str, float]]:
    """For each stem, the stems of its groups and what each is worth; the larger the group, the less."""
    near: dict[str, dict[str, float]] = {}
    for line in GROUP_WORDS:
        left, one_way, right = line.partition(" > ")
        answers = {stem(word) for word in (right if one_way else left).split()}
        worth = 0.85 if len(answers) <= 6 or one_way else 0.75 if len(answers) <= 10 else 0.65
        for asked in {stem(word) for word in left.split()}:
            known = near.setdefault(asked, {})
            for other in answers - {asked}:
                known[other] = max(worth, known.get(other, 0.0))
    return near


# Verbs whose particle makes another verb of them: "put up" is "build". The verb's stem, its particle, what
# they mean.
_PHRASES = (
    "put|up|build put|out|extinguish set|up|found set|down|land set|off|leav set|out|leav pull|down|demolish "
    "tear|down|demolish knock|down|demolish come|out|publish step|down|resign stand|down|resign tak|off|launch "
    "tak|over|replac break|out|begin blow|up|explod giv|up|quit hand|over|giv put|off|postpon call|off|cancel "
    "com|upon|discov com|across|discov look|after|maintain grow|up|rais bring|up|rais fit|out|equip go|to|receiv "
    "carri|out|perform turn|down|refus pass|away|die touch|down|land pick|up|recov work|out|calculat "
    "found|out|discov find|out|discov mak|up|invent draw|up|plan wip|out|destroi di|out|extinct bring|out|publish "
    "open|up|open tak|part|participat run|into|hit end|up|end lock|up|imprison com|out|publish"
)
_PHRASAL = {(verb, particle): meaning for verb, particle, meaning in (entry.split("|") for entry in _PHRASES.split())}
_PHRASAL_VERBS = frozenset(verb for verb, _ in _PHRASAL)


def sentence_stems(found: Sequence[str]) -> list[str]:
    """The stems of a sentence's words, in place; a verb with a particle has the stem of what the two mean."""
    roots = [stem(word) for word in found]
    for index, root in enumerate(roots[:-1]):
        if root in _PHRASAL_VERBS:
            meaning = _PHRASAL.get((root, found[index + 1].lower()))
            if meaning:
                roots[index] = meaning
    return roots


def stem_set(text: str) -> frozenset[str]:
    """The stems of all words of a text, stopwords too."""
    return frozenset(map(stem, text.split()))


def near_words(word_stem: str) -> Mapping[str, float]:
    """The stems that may stand for this one and what each is worth as it, 0 to 1."""
    return _near().get(word_stem, {})


@lru_cache(maxsize=10_000)
def groups_of(word_stem: str) -> frozenset[str]:
    """The stems that may stand for this one, itself left out."""
    return frozenset(near_words(word_stem))


_VERB_ENDINGS = ("ed", "ing")
_COMMON_VERBS = word_set(
    "won wrote built began led drew made gave took went saw ate spoke bought taught fought fell flew grew knew ran "
    "sang "
    "stood left lost held kept met paid sold sent spent struck swam thought threw wore chose broke brought caught "
    "became "
    "rose died lies stands runs rises covers holds has had lived lives uses makes takes gives contains includes "
    "flows "
    "carries feeds eats remains serves forms spans weighs measures reaches grows comes goes came lay lets sets "
    "writes "
    "returns prints shows reads means allows needs"
)


# Words of a question that say little about which sentence answers it.
LIGHT = word_set(
    "later officially official know known call called actually nowadays currently today originally come came take took "
    "make made turn meant "
    "mean go went get got put become became happen happened kind sort type name named particular full total "
    "different use used "
    "long old number certain famous word thing people person one someone exact precisely first-ever"
)
BASE_VERBS = frozenset(_IRREGULAR.values()) & word_set(
    "win write build begin lead draw make give take go see eat speak buy teach fight lie fall fly grow know run "
    "sing sink "
    "stand leave lose hold keep meet pay sell send spend strike swim think throw wear choose break bring catch "
    "become rise die "
    "hang shoot lay light sleep feel dig weave travel"
) | word_set(
    "come live have get put cut set hit let read say tell find open close start end stop move turn call name play "
    "work use try ask "
    "need want mean show help serve receive earn marry study attend graduate publish release appear compose paint "
    "design invent "
    "discover create develop found establish happen occur arrive depart return reach cross join enter visit climb "
    "land launch "
    "crash burn destroy damage kill bury weigh measure cost last cover contain produce carry connect link belong "
    "feed hunt "
    "reign rule command rescue save recover replace succeed follow inspire influence translate decipher calculate "
    "predict "
    "support oppose protest refuse accept reject allow require suggest propose announce declare sign retire resign "
    "emigrate "
    "escape flee inherit own donate present share divide collect store print sail orbit change increase drop touch "
    "deliver "
    "consist exist remain stay wait decide agree add remove install run compile raise lower drain flow explode "
    "erupt sponsor"
)


_PAIRS = (
    "first last, largest smallest, biggest smallest, oldest youngest, longest shortest, highest lowest, "
    "north south, east west, mother father, wife husband, brother sister, son daughter, born died, open "
    "closed, begin end, start finish, win lose, younger elder, minimum maximum, heaviest lightest, buy "
    "sell, northern southern"
)
OPPOSITES = tuple((stem(a), stem(b)) for pair in _PAIRS.split(", ") for a, b in (pair.split(), reversed(pair.split())))


def looks_verbal(word: str) -> bool:
    """Whether a lower-case word is probably a verb form, so that a noun phrase ends before it."""
    return word in AUXILIARIES or word in _COMMON_VERBS or (len(word) > 5 and word.endswith(_VERB_ENDINGS))
