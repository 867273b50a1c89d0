"""
Writes the pools that made-up people are drawn from: names, cities and streets of many countries, from mimesis.

They are checked in, so that people stay the same whatever version of mimesis there is, and making them needs neither
mimesis nor its start. Run this to change them: everybody changes then, in every test and benchmark.

    .venv/bin/python tools/pools.py
"""

import json
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from mimesis import Address, Person

POOLS: Final = Path(__file__).parents[1] / "src" / "headrace" / "testkit" / "people" / "pools.json"
SEED: Final = 20260301
NAMES, PLACES = 64, 40
#: Where a country keeps no numbers free, people have one of these, which films use.
FILMS: Final = tuple(
    f"+1{area}55501" for area in (202, 206, 212, 215, 303, 305, 312, 404, 415, 503, 512, 602, 617, 702, 713, 808, 907)
)
#: Letters that are more than a plain one with a mark, and two alphabets.
LETTERS: Final = str.maketrans(
    {
        **dict(zip("ßłøđıæœ", ("ss", "l", "o", "d", "i", "ae", "oe"), strict=True)),
        **dict(zip("абвгґдезиіїйклмнопрстуфєжхцчшщюя", (*"abvhgdezyi", "yi", *"iklmnoprstuf", "ye", "zh", "kh",
                   "ts", "ch", "sh", "sch", "yu", "ya"), strict=True)),
        **dict(zip("αβγδεζηθικλμνξοπρςστυφχψω", (*"avgdezi", "th", *"iklmnxoprsstyf", "ch", "ps", "o"), strict=True)),
    }
)  # fmt: skip
#: What stands in an address for a name whose script we cannot read.
WORDS: Final = ("river", "stone", "north", "sunny", "cedar", "amber", "harbor", "linden", "maple", "falcon", "willow")


class Land(NamedTuple):
    """One country: how many of 40 people live there, and how its words are got and written."""

    name: str
    code: str
    language: str
    locale: str | None
    weight: int
    postal: str
    street: Callable[[Address], str]
    mobile: tuple[str, ...] = FILMS
    free_digits: int = 2
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    streets: tuple[str, ...] = ()


def suffixed(address: Address) -> str:
    """Return a street as English has it, the kind of street last."""
    return f"{address.street_name()} {address.street_suffix()}"


def prefixed(address: Address) -> str:
    """Return a street with its kind first."""
    return f"{address.street_suffix()} {address.street_name()}"


def named(address: Address) -> str:
    """Return a street whose name says its kind."""
    return address.street_name()


LANDS: Final = (
    Land("United States", "US", "en-US", "en", 10, "#####", suffixed,
         first=('William "Bill"', "Mary-Jane", "O", "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren"),
         last=("D'Angelo", "O'Hara", "García", "Nguyen", "Featherstonehaugh-Cholmondeley-Marjoribanks", "Ng"),
         streets=("Martin Luther King Jr. Boulevard",)),
    Land("United Kingdom", "GB", "en-GB", "en-gb", 5, "ZZ# #ZZ", suffixed, ("+447700900",), 3,
         first=("Siobhán", "Niamh"), last=("O'Neill", "Fitz-Gerald", "MacDonald"), cities=("Stoke-on-Trent",)),
    Land("Deutschland", "DE", "de-DE", "de", 4, "#####", named, ("+4917139200",), 2,
         first=("Käthe", "Sören", "Jürgen"), last=("Groß", "Schäfer", "von der Heide", "Yılmaz"),
         cities=("München", "Görlitz"), streets=("An der alten Mühle", "Hauptstraße")),
    Land("France", "FR", "fr-FR", "fr", 3, "#####", prefixed, ("+3363998",), 4,
         first=("Zoë", "François", "Maëlle"), last=("d'Estaing", "L'Écuyer", "Lefèvre"),
         cities=("L'Haÿ-les-Roses", "Saint-Étienne"), streets=("Rue de l'Église", "Place d'Armes")),
    Land("España", "ES", "es-ES", "es", 3, "#####", named, last=("Ibáñez", "Núñez de Balboa"), cities=("A Coruña",)),
    Land("Italia", "IT", "it-IT", "it", 2, "#####", prefixed, last=("Dell'Anno", "D'Annunzio")),
    Land("Polska", "PL", "pl-PL", "pl", 2, "##-###", prefixed,
         first=("Łukasz",), last=("Żółtowski",), cities=("Łódź",)),
    Land("Brasil", "BR", "pt-BR", "pt-br", 2, "#####-###", named, first=("João",), last=("da Conceição",)),
    Land("Türkiye", "TR", "tr-TR", "tr", 1, "#####", suffixed, first=("İpek", "Işıl"), cities=("İzmir",)),
    Land("Ελλάδα", "GR", "el-GR", "el", 1, "### ##", prefixed, last=("Παπαδόπουλος",), cities=("Αθήνα",)),
    Land("Україна", "UA", "uk-UA", "uk", 2, "#####", named, first=("В'ячеслав", "Любов"), last=("Лук'яненко",),
         cities=("Кам'янець-Подільський", "Львів")),
    Land("日本", "JP", "ja-JP", "ja", 2, "###-####", lambda address: address.street_name(),
         first=("さくら",), last=("髙橋", "山田"), cities=("京都市",), streets=("四条通",)),
    Land("대한민국", "KR", "ko-KR", "ko", 1, "#####", lambda address: f"{address.street_name()}로", last=("김", "이")),
    Land("الإمارات", "AE", "ar-AE", "ar-ae", 1, "#####", prefixed),
    Land("ישראל", "IL", "he-IL", None, 1, "#######", named,
         first=("נועה", "איתן", "תמר"), last=("לוי", "כהן", "בן־דוד"), cities=("חיפה", "תל אביב-יפו"),
         streets=("הרצל", "שדרות רוטשילד")),
)  # fmt: skip

SHARED: Final = {
    "employers": ["O'Hara & Söhne", "Brown & Sons Ltd.", 'Café "Zur Post" GmbH & Co. KG', "L'Épicerie d'Émile",
                  "株式会社サンプル", "Acme, Inc.", "A < B Analytics", "Ωμέγα Α.Ε.", "Żubr S.A.", "Πλοία & Υιοί",
                  "Northwind Ünlimited", "شركة النخيل", "Тепло i Світло", "7"],
    "industries": ["retail", "banking", "travel", "health care", "oil & gas", "media", "education", "software"],
    "nicknames": ["Zo", "🦊", "e\u0301milie", "👩\u200d👩\u200d👧", "Mr. \"X\"", "n\u0303an\u0303a", "🇫🇷 Jo", "ß",
                  "null", "007", "o'clock", "𝓐𝓷𝓪", "\u202bאבג\u202c", "C:\\dir", "<b>bold</b>",
                  "the one who reads every single line twice"],
    "interests": ["gardening", "films", "football", "travel", "cooking", "jazz & blues", "photography", "cycling",
                  "chess", 'the "old" town', "日本料理", "sailing"],
}  # fmt: skip


def write_pools() -> None:
    """Write the pools, one list a line."""
    countries = [_country(land) for land in LANDS]
    text = json.dumps({"countries": countries, **SHARED}, ensure_ascii=False, indent=None, separators=(",", ":"))
    POOLS.write_text(text.replace('],"', '],\n"').replace("},{", "},\n\n{") + "\n", encoding="utf-8")


def _country(land: Land) -> dict[str, Any]:
    person, address = _sources(land)
    code = lambda: "".join(_sign(sign, address) for sign in land.postal)  # noqa: E731 - drawn once for each city
    cities = _pool(land.cities, address and address.city, PLACES)
    return {
        "name": land.name,
        "code": land.code,
        "language": land.language,
        "weight": land.weight,
        "mobile": land.mobile,
        "freeDigits": land.free_digits,
        "firstNames": [[name, _plain(name)] for name in _pool(land.first, person and person.first_name, NAMES)],
        "lastNames": [[name, _plain(name)] for name in _pool(land.last, person and person.last_name, NAMES)],
        "cities": [[city, code()] for city in cities],
        "streets": _pool(land.streets, address and (lambda: land.street(address)), PLACES),
    }


def _sources(land: Land) -> tuple[Any, Any]:
    if land.locale is None:
        return None, None
    return Person(land.locale, seed=SEED), Address(land.locale, seed=SEED)


def _pool(ours: Iterable[str], draw: Callable[[], str] | None, size: int) -> list[str]:
    """Return our own words, and different ones that are drawn until there are enough, or no new ones come."""
    words = dict.fromkeys(ours)
    tries = 0
    while draw is not None and len(words) < size and tries < 20 * size:
        words[unicodedata.normalize("NFC", draw().replace("’", "'").strip())] = None
        tries += 1
    return list(words)


def _sign(sign: str, address: Any) -> str:
    random = _RANDOM if address is None else address.random
    if sign == "#":
        return str(random.randint(0, 9))
    return str(random.choice("ABDEFGHJLN")) if sign == "Z" else sign


def _plain(name: str) -> str:
    """Return a name in the letters of an e-mail address."""
    known = unicodedata.normalize("NFKD", name.lower().translate(LETTERS)).translate(LETTERS)
    plain = "".join(letter for letter in known if letter.isascii() and letter.isalpha())
    return plain[:24] or WORDS[sum(map(ord, name)) % len(WORDS)]


_RANDOM = Person("en", seed=SEED).random

if __name__ == "__main__":
    write_pools()
