"""Words: where they are, which of them say nothing, and what the forms of one have in common.

>>> stems("Who designed the towers?")
['design', 'tower']
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise


def word_set(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


STOP_WORDS = word_set(
    "a about above according after again all also am an and any are aren as at be because been before being below "
    "between both but by can could couldn d did didn do does doesn doing don down during each either else ever few for "
    "from further given had has have having he her here hers him his how i if in into is isn it its itself ll m me "
    "more most my no nor not of off on once only or other our ours out over own please re s same shall she should so "
    "some such t than that the their theirs them then there these they this those through to too under until up us ve "
    "very was wasn we were what whatever when where whether which while who whom whose why will with would you your "
    "yours"
)
"""English words that carry grammar and no subject."""

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Letters of scripts without spaces between words (Thai, Lao, Burmese, Khmer, Japanese, Chinese), for a ``[...]``."""

_UNSPACED_RUN = re.compile(f"[{UNSPACED}]+")
_WORD = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\w)|[^\W_]+(?:['’.][^\W_]+)*")


def words(text: str) -> list[str]:
    """The words of a text as they are written; a script without spaces gives its pairs of letters."""
    found = _WORD.findall(text)
    if text.isascii() or not _UNSPACED_RUN.search(text):
        return found
    return [piece for word in found for piece in _pieces(word)]


def _pieces(word: str) -> list[str]:
    pieces: list[str] = []
    at = 0
    for run in _UNSPACED_RUN.finditer(word):
        pieces += [word[at : run.start()]] if run.start() > at else []
        pieces += ["".join(pair) for pair in pairwise(run[0])] or [run[0]]
        at = run.end()
    return [*pieces, word[at:]] if at < len(word) else pieces


def spaced(name: str) -> str:
    """The words of a program's name: "HyperlinkExtractor" and "word_count" give "Hyperlink Extractor", "word count"."""
    return " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_.-]", " ", name).split())


def fold(text: str) -> str:
    """Lower case without accents: what two spellings of one name have in common."""
    lowered = text.lower().replace("’", "'")
    if lowered.isascii():
        return lowered
    plain = "".join(c for c in unicodedata.normalize("NFKD", lowered) if not unicodedata.combining(c))
    return plain.replace("ø", "o").replace("ł", "l").replace("ß", "ss")


# Word forms that endings do not tell, and the nouns of measures: "stem:form,form".
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
people:people foot:feet tooth:teeth live:lives wife:wives die:died,dies,dying,death,deaths hang:hung
shoot:shot lay:laid species:species series:series his:his this:this discov:discovery,discoveries do:does,did
light:lit sit:sat sleep:slept feel:felt dig:dug weave:wove,woven high:highest,higher,height,heights,tall,tallest,taller
long:longest,longer,length,lengths deep:deepest,deeper,depth,depths old:oldest,older,age large:largest,larger
weigh:weight,weights,weighed,weighs,heavy,heaviest,heavier birth:born,births
big:biggest,bigger wide:widest,wider,width fast:fastest shore:shores news:news color:colour,colours,coloured
meter:metre,metres,meters center:centre theater:theatre harbor:harbour honor:honour,honoured
kilometer:kilometre,kilometres travel:travelled,travelling,traveled gray:grey sculpt:sculptor sculptur:sculpture
"""
_IRREGULAR = {
    form: root for root, _, forms in (entry.partition(":") for entry in _FORMS.split()) for form in forms.split(",")
}
_VOWEL = re.compile(r"[aeiouy]")
_SUFFIXES = ((("ing", 3), ("ed", 3)), (("er", 4), ("or", 5), ("ion", 4), ("ment", 5), ("ly", 4), ("est", 4)))


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """What the forms of one word have in common: "designed", "designer" and "designs" give "design"."""
    w = fold(word).removesuffix("'s").strip("'")
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
                w = _without(w, suffix)
                break
    if w.endswith("y") and len(w) > 3:
        w = w[:-1] + "i"
    return w.removesuffix("e") if len(w) > 3 else w


def _without(word: str, suffix: str) -> str:
    """The word without its suffix, a doubled consonant made single ("running", "winner")."""
    rest = word[: -len(suffix)]
    return rest[:-1] if len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "lsaeiouz" else rest


def stems(text: str) -> list[str]:
    """The stems of a text's words that say something (no stop words), in order."""
    return [stem(word) for word in words(text) if word.lower() not in STOP_WORDS]


def query_stems(text: str) -> list[str]:
    """The stems a query searches for, each once; its stop words only where there is nothing else."""
    said = stems(text) or [stem(word) for word in words(text)]
    return list(dict.fromkeys(one for one in said if len(one) > 1 or not one.isascii() or one.isdigit()) or said)[:32]
