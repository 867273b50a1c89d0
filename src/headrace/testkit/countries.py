"""Names and places for people who do not exist: nine countries, five alphabets, and what breaks careless code."""

from typing import Final, NamedTuple


class Name(NamedTuple):
    """A name as it is written, and as it stands in an address."""

    written: str
    plain: str


class Country(NamedTuple):
    """What people of one country have in common. A number is one of ``mobile`` and as many ``free_digits``."""

    name: str
    code: str
    language: str
    mobile: tuple[str, ...]
    free_digits: int
    cities: tuple[tuple[str, str], ...]
    streets: tuple[str, ...]
    first_names: tuple[Name, ...]
    last_names: tuple[Name, ...]


def _names(text: str) -> tuple[Name, ...]:
    """
    Read names that are written in a row; one that is not plain letters is followed by its plain form.

    >>> _names("Ana, Zoë=zoe")
    (Name(written='Ana', plain='ana'), Name(written='Zoë', plain='zoe'))
    """
    pairs = (name.strip().partition("=") for name in text.split(","))
    return tuple(Name(written, plain or written.lower()) for written, _, plain in pairs)


#: Where a country keeps no numbers free, people have one of these.
_NUMBERS_IN_FILMS: Final = tuple(
    f"+1{area}55501" for area in (202, 206, 212, 215, 303, 305, 312, 404, 415, 503, 512, 602, 617, 702, 713, 808, 907)
)

COUNTRIES: Final = (
    Country(
        "United States",
        "US",
        "en-US",
        _NUMBERS_IN_FILMS,
        2,
        (("Portland", "97201"), ("Saint Paul", "55101"), ("Boston", "02108"), ("El Paso", "79901")),
        ("Maple Street", "Fifth Avenue", "Martin Luther King Jr. Boulevard"),
        _names('Alice, James, Maria, Robert, Grace, William "Bill"=bill, Mary-Jane=maryjane, Walter'),
        _names("Smith, Johnson, D'Angelo=dangelo, Nguyen, García=garcia, O'Hara=ohara, Washington"),
    ),
    Country(
        "United Kingdom",
        "GB",
        "en-GB",
        ("+447700900",),
        3,
        (("London", "SE1 9GF"), ("Stoke-on-Trent", "ST1 1HP"), ("Edinburgh", "EH1 1RE")),
        ("High Street", "King's Road", "Church Lane"),
        _names("Oliver, Amelia, Siobhán=siobhan, Harry, Niamh, Anwar"),
        _names("Jones, MacDonald, O'Neill=oneill, Fitz-Gerald=fitzgerald, Patel, Evans"),
    ),
    Country(
        "Deutschland",
        "DE",
        "de-DE",
        ("+4917139200",),
        2,
        (("München", "80331"), ("Köln", "50667"), ("Görlitz", "02826")),
        ("Hauptstraße", "Schloßallee", "An der alten Mühle"),
        _names("Jürgen=juergen, Käthe=kaethe, Lukas, Björn=bjoern, Anneliese, Sören=soeren"),
        _names("Müller=mueller, Groß=gross, Schäfer=schaefer, von der Heide=vonderheide, Yılmaz=yilmaz, Weber"),
    ),
    Country(
        "France",
        "FR",
        "fr-FR",
        ("+3363998",),
        4,
        (("Saint-Étienne", "42000"), ("L'Haÿ-les-Roses", "94240"), ("Besançon", "25000")),
        ("Rue de l'Église", "Avenue Général-Leclerc", "Place d'Armes"),
        _names("Zoë=zoe, François=francois, Anaïs=anais, Jean-Luc=jeanluc, Maëlle=maelle"),
        _names("Lefèvre=lefevre, d'Estaing=destaing, L'Écuyer=lecuyer, Dupont, Benali"),
    ),
    Country(
        "Polska",
        "PL",
        "pl-PL",
        _NUMBERS_IN_FILMS,
        2,
        (("Łódź", "90-001"), ("Kraków", "31-002")),
        ("ulica Świętojańska", "aleja Jana Pawła II"),
        _names("Łukasz=lukasz, Małgorzata=malgorzata, Józef=jozef, Zofia"),
        _names("Wiśniewska=wisniewska, Żółtowski=zoltowski, Kowalczyk, Dąbrowski=dabrowski"),
    ),
    Country(
        "Ελλάδα",
        "GR",
        "el-GR",
        _NUMBERS_IN_FILMS,
        2,
        (("Θεσσαλονίκη", "546 24"), ("Αθήνα", "105 57")),
        ("Ερμού", "Λεωφόρος Νίκης"),
        _names("Ελένη=eleni, Γιώργος=giorgos, Δήμητρα=dimitra"),
        _names("Παπαδόπουλος=papadopoulos, Οικονόμου=oikonomou, Γεωργίου=georgiou"),
    ),
    Country(
        "Україна",
        "UA",
        "uk-UA",
        _NUMBERS_IN_FILMS,
        2,
        (("Львів", "79000"), ("Кам'янець-Подільський", "32300")),
        ("вулиця Франка", "Соборна площа"),
        _names("Олена=olena, Тарас=taras, Любов=lyubov, В'ячеслав=vyacheslav"),
        _names("Шевчук=shevchuk, Коваленко=kovalenko, Лук'яненко=lukianenko"),
    ),
    Country(
        "日本",
        "JP",
        "ja-JP",
        _NUMBERS_IN_FILMS,
        2,
        (("京都市", "600-8216"), ("札幌市", "060-0001")),
        ("四条通", "大通西"),
        _names("陽葵=himari, 蓮=ren, さくら=sakura, 大輔=daisuke"),
        _names("山田=yamada, 佐藤=sato, 髙橋=takahashi"),
    ),
    Country(
        "ישראל",
        "IL",
        "he-IL",
        _NUMBERS_IN_FILMS,
        2,
        (("חיפה", "3303142"), ("תל אביב-יפו", "6108001")),
        ("הרצל", "שדרות רוטשילד"),
        _names("נועה=noa, איתן=eitan, תמר=tamar"),
        _names("לוי=levi, כהן=cohen, בן־דוד=bendavid"),
    ),
)
#: Where people live, as a line to point at: the first two countries hold half of them.
HOMES: Final = tuple(COUNTRIES[n] for n in (0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8))
