"""Words that name parts of an address and of the world, as data. Small letters throughout.

Street words are those of the countries' own postal manuals and everyday maps; states and countries are the ISO 3166
short names in English. None of it is taken from a test set.
"""

__all__ = [
    "COUNTRIES",
    "NATIONALITIES",
    "STREET_BEFORE",
    "STREET_ENDS",
    "STREET_WORDS",
    "UPPER",
    "US_STATES",
    "WEEKDAYS_MONTHS",
    "words",
]


def words(text: str, between: str = " ") -> tuple[str, ...]:
    """The words of a list that is written as one text."""
    return tuple(text.split(between))


UPPER = "".join(chr(code) for code in range(0x41, 0x590) if chr(code).isupper())
"""Every capital letter of Latin, Greek, Cyrillic and Armenian, for a class of a pattern."""

STREET_WORDS: tuple[str, ...] = words(
    "street st avenue ave av road rd drive dr lane ln boulevard "
        "blvd court ct place pl terrace ter circle cir square "
        "sq way "

        "parkway pkwy highway hwy crescent cres close trail trl "
        "alley aly row mews grove gardens gate hill heights ridge "
        "walk "
    "loop path plaza pike crossing esplanade quay wharf promenade broadway expressway freeway turnpike bypass causeway "

        "view point spur landing hollow glen park parks mall "
        "mount run vale common green rise parade courts coves "
        "gateway"
)  # fmt: skip
"""Behind a house number and a name: 12 Oak Street."""

STREET_ENDS: tuple[str, ...] = words(
    "straße strasse str. weg platz allee gasse gässli ufer damm ring steig "  # German
    "gade vej vejen alle stræde vænget toften parken "  # Danish
    "gata gate veien vegen gatan vägen gränd plan backen terrasse bakken "  # Norwegian, Swedish
    "katu tie kuja polku kaari "  # Finnish
    "straat laan plein kade gracht singel dijk steeg dreef "  # Dutch
    "stræti gata braut vegur "  # Icelandic
    "utca utcája tér körút fasor köz sétány "  # Hungarian
    "ova ova ská ského ovo gatve iela tänav puiestee pst"
)
"""At the end of the street's own word, or a word after it, before the house number: Hauptstraße 5, Petőfi utca 12."""

STREET_BEFORE: tuple[str, ...] = words(
    "rua|rúa|avenida|av.|avda.|travessa|praça|largo|calle|"
    "c/|carrera|paseo|plaza|camino|carrer|rue|avenue|boulevard|"
    "bd|place|"
    "allée|chemin|impasse|quai|route|via|viale|piazza|piazzale|"
    "vicolo|corso|largo|strada|strada provinciale|contrada|"
    "ul.|ulica|"
    "ulice|al.|aleja|os.|pl.|náměstí|nám.|str.|strada|bulevardul|"
    "calea|улица|ул.|проспект|οδός|cesta|trg|pot|jalan|jl.",
    "|",
)
"""Before the street's name, the house number after it: Rua do Ouro 12."""

US_STATES: tuple[str, ...] = words("alabama|alaska|arizona|arkansas|california|colorado|"
        "connecticut|delaware|florida|hawaii|idaho|illinois|indiana|"
        "iowa|"

        "kansas|kentucky|louisiana|maine|maryland|massachusetts|"
        "michigan|minnesota|mississippi|missouri|montana|nebraska|"
        "nevada|"
    "new hampshire|new jersey|new mexico|new york|north carolina|north dakota|ohio|oklahoma|oregon|pennsylvania|"

        "rhode island|south carolina|south dakota|tennessee|texas|"
        "utah|vermont|virginia|washington|west virginia|wisconsin|"
        "wyoming", "|")  # fmt: skip

COUNTRIES: tuple[str, ...] = words("afghanistan|albania|algeria|andorra|angola|argentina|"
        "armenia|australia|austria|azerbaijan|bahamas|bahrain|"
        "bangladesh|barbados|"

        "belarus|belgium|belize|benin|bhutan|bolivia|bosnia and "
        "herzegovina|botswana|brazil|brunei|bulgaria|burkina "
        "faso|burundi|"

        "cambodia|cameroon|canada|cape verde|chile|china|colombia|"
        "congo|costa rica|croatia|cuba|cyprus|czech republic|"
        "czechia|denmark|"

        "djibouti|dominican republic|ecuador|egypt|el salvador|"
        "england|eritrea|estonia|eswatini|ethiopia|fiji|finland|"
        "france|gabon|gambia|"

        "germany|ghana|greece|greenland|grenada|guatemala|guinea|"
        "guyana|haiti|honduras|hong kong|hungary|iceland|india|"
        "indonesia|"

        "iran|iraq|ireland|israel|italy|ivory coast|jamaica|japan|"
        "kazakhstan|kenya|kosovo|kuwait|kyrgyzstan|laos|latvia|"
        "lebanon|"

        "lesotho|liberia|libya|liechtenstein|lithuania|luxembourg|"
        "macau|madagascar|malawi|malaysia|maldives|malta|mauritania|"
        "mauritius|"

        "mexico|moldova|monaco|mongolia|montenegro|morocco|mozambique|"
        "myanmar|namibia|nepal|netherlands|new zealand|nicaragua|"
        "nigeria|"

        "north korea|north macedonia|northern ireland|norway|"
        "oman|pakistan|palestine|panama|papua new guinea|paraguay|"
        "peru|philippines|"

        "poland|portugal|puerto rico|qatar|romania|russia|rwanda|"
        "samoa|san marino|saudi arabia|scotland|senegal|serbia|"
        "seychelles|"

        "sierra leone|singapore|slovakia|slovenia|somalia|south "
        "africa|south korea|spain|sri lanka|sudan|suriname|sweden|"
        "switzerland|syria|"

        "taiwan|tajikistan|tanzania|thailand|togo|trinidad and "
        "tobago|tunisia|turkmenistan|uganda|ukraine|united arab "
        "emirates|"

        "united kingdom|united states|united states of america|"
        "uruguay|usa|u.s.a.|uk|u.k.|uzbekistan|vatican city|venezuela|"
        "vietnam|wales|yemen|zambia|"
    "zimbabwe", "|")  # fmt: skip

NATIONALITIES: tuple[str, ...] = words(
    "afghan albanian algerian american angolan arab arabic "
        "argentine argentinian armenian australian austrian azerbaijani "
        "bangladeshi "

        "belarusian belgian bolivian bosnian brazilian british "
        "bulgarian burmese cambodian cameroonian canadian chechen "
        "chilean chinese "

        "colombian croatian cuban cypriot czech danish dutch "
        "ecuadorian egyptian emirati english estonian ethiopian "
        "filipino finnish french "

        "georgian german ghanaian greek guatemalan haitian hungarian "
        "icelandic indian indonesian iranian iraqi irish israeli "
        "italian jamaican "

        "japanese jordanian kazakh kenyan korean kurdish kuwaiti "
        "latvian lebanese libyan lithuanian malaysian maltese "
        "mexican moldovan "

        "mongolian moroccan nepali nepalese nigerian norwegian "
        "pakistani palestinian peruvian persian polish portuguese "
        "romanian russian saudi "

        "saudis scottish senegalese serbian singaporean slovak "
        "slovenian somali spanish sudanese swedish swiss syrian "
        "taiwanese tamil thai "
    "tibetan tunisian turkish ugandan ukrainian uruguayan uzbek venezuelan vietnamese welsh yemeni zambian zimbabwean "
    "buddhist catholic christian hindu jewish muslim orthodox protestant shia shiite shiites sikh sunni"
)  # fmt: skip
"""Peoples and religions: what the set NRP (nationality, religion, politics) means."""

WEEKDAYS_MONTHS: tuple[str, ...] = words(
    "monday tuesday wednesday thursday friday saturday sunday "
    "january february march april may june july august september "
    "october "
    "november december jan feb mar apr jun jul aug sep sept oct nov dec"
)
