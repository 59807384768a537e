"""The SQL that writes accounts and profiles. As in etl.dataset.lines, a row's text depends on
nothing but its number and the seed.

Account 1 has profile 1, where there are as many, but for one of ten, which nobody knows. All belong
to the tenant `default`; addresses and numbers are different for each, names and cities common and
rare ones.
"""

ACCOUNTS, PROFILES = "accounts.csv", "profiles.csv"
FIRST_PROFILE_AT = 1_700_000_000_000

# City, country, where it is, and what numbers there begin with: nine more digits follow.
CITIES = (
    ("London", "GB", "51.507", "-0.128", "+447"),
    ("Leeds", "GB", "53.801", "-1.549", "+447"),
    ("New York", "US", "40.713", "-74.006", "+12"),
    ("Los Angeles", "US", "34.052", "-118.244", "+13"),
    ("Chicago", "US", "41.878", "-87.630", "+14"),
    ("Toronto", "CA", "43.653", "-79.383", "+14"),
    ("Mumbai", "IN", "19.076", "72.878", "+919"),
    ("Delhi", "IN", "28.614", "77.209", "+919"),
    ("Bengaluru", "IN", "12.972", "77.595", "+919"),
    ("Berlin", "DE", "52.520", "13.405", "+4915"),
    ("München", "DE", "48.137", "11.575", "+4915"),
    ("Paris", "FR", "48.857", "2.352", "+336"),
    ("Lyon", "FR", "45.764", "4.836", "+336"),
    ("Madrid", "ES", "40.417", "-3.704", "+346"),
    ("São Paulo", "BR", "-23.551", "-46.633", "+5511"),
    ("Sydney", "AU", "-33.869", "151.209", "+614"),
)
# The digits that follow, by city: a number is as long as its country has them.
_DIGITS = {"+447": 9, "+12": 9, "+13": 9, "+14": 9, "+919": 9, "+4915": 9, "+336": 8, "+346": 8}
_DIGITS |= {"+5511": 9, "+614": 8}

ONSETS = "Bar Bel Cor Dal Den Fal Gar Hol Jar Kel Lan Mar Nor Or Pen Quin Ros Sal Tor Val".split()
MIDDLES = "a an e en i ing o or u und".split()
ENDS = "berg dale feld ford ham lund ley man mont ney sen son stad ton wick worth".split()
STREETS = "High Church Mill Station Park Victoria Green King Queen Bridge School London".split()


def pools() -> dict[str, list[str]]:
    """Texts to pick from, as etl.dataset.pools has them."""
    return {
        "cities": [city[0] for city in CITIES],
        "countries": [city[1] for city in CITIES],
        "latitudes": [city[2] for city in CITIES],
        "longitudes": [city[3] for city in CITIES],
        "prefixes": [city[4] for city in CITIES],
        "streets": STREETS,
        "surnames": [f"{one}{two}{end}" for one in ONSETS for two in MIDDLES for end in ENDS],
    }


def _at(pool: str) -> str:
    return f"pick({pool}, 0, {len(CITIES)}, h)"


def _of(pool: str, draw: str) -> str:
    return f"pick({pool}, 0, {len(pools()[pool])}, {draw})"


_WIDTH = "CASE " + " ".join(
    f"WHEN h % {len(CITIES)} = {place} THEN {_DIGITS[city[4]]}" for place, city in enumerate(CITIES)
)
# Distinct below a hundred million: a number of eight digits, shuffled by a factor that shares no
# divisor with ten, and a ninth that is its last.
_SHUFFLED = "(id * 61803399) % 100000000"
_NUMBER = f"lpad(({_SHUFFLED})::VARCHAR, 8, '0')"
_MOBILE = f"concat({_at('prefixes')}, if({_WIDTH} END = 9, '2', ''), {_NUMBER})"

ACCOUNT_LINE = """concat(id, ',"', if(h % 20 = 0,
        concat('2001:', to_hex(512 + (h >> 8) % 3000), ':', to_hex(1 + (h >> 20) % 65535), '::',
            to_hex(1 + (h >> 36) % 65535)),
        concat(1 + (h >> 8) % 223, '.', (h >> 16) % 256, '.', (h >> 24) % 256, '.',
            (h >> 32) % 256)), '",',
    CASE (h >> 44) % 10 WHEN 0 THEN 'None' WHEN 1 THEN 'None' WHEN 2 THEN 'None'
        WHEN 3 THEN 'Expired' WHEN 4 THEN 'Expired' WHEN 5 THEN 'Expired' ELSE 'Subscribed' END)"""

_UUID = f"""concat(lower(lpad(to_hex(({FIRST_PROFILE_AT} + id) >> 16), 8, '0')), '-',
    lower(lpad(to_hex(({FIRST_PROFILE_AT} + id) % 65536), 4, '0')), '-7',
    lower(lpad(to_hex(g % 4096), 3, '0')), '-', lower(to_hex(32768 + (g >> 12) % 16384)), '-',
    lower(lpad(to_hex((g >> 14) % 281474976710656), 12, '0')))"""
_FIRST = "pick(first_names, 0, 32, h >> 4)"
_LAST = f"if((h >> 9) % 3 = 0, pick(last_names, 0, 32, h >> 11), {_of('surnames', 'h >> 16')})"


def profile_line(accounts: int) -> str:
    return f"""concat({_UUID}, ',default,',
        if(id <= {accounts} AND (g >> 3) % 10 > 0, id::VARCHAR, ''), ',',
        if((g >> 7) % 10 = 0, 'work', 'personal'), ',"', {_FIRST}, ' ', {_LAST}, '",',
        pick(first_mails, 0, 32, h >> 4), '.', id, '@example.',
        CASE (h >> 30) % 3 WHEN 0 THEN 'com' WHEN 1 THEN 'net' ELSE 'org' END, ',', {_MOBILE}, ',',
        CASE (h >> 32) % 5 WHEN 0 THEN '' WHEN 1 THEN 'F' WHEN 2 THEN 'F' ELSE 'M' END, ',',
        (DATE '1940-01-01' + ((h >> 35) % 25000)::INTEGER)::VARCHAR, ',"', 1 + (g >> 20) % 180, ' ',
        {_of("streets", "g >> 28")}, ' Street, Door ', 1 + (g >> 34) % 9, '","', {_at("cities")},
        '",', {_at("countries")}, ',', {_at("latitudes")}, (g >> 40) % 90 + 10, ',',
        {_at("longitudes")}, (g >> 47) % 90 + 10)"""


def _lines(line: str) -> str:
    return f"""SELECT count(*), encode(string_agg({line}, chr(10))) FROM (
        SELECT id, draw(id, 41) AS h, draw(id, 42) AS g
        FROM (SELECT unnest(range($first, $last + 1)) AS id)), pools"""


def statements(accounts: int) -> dict[str, str]:
    """A statement for each file, of rows `$first` to `$last`."""
    return {ACCOUNTS: _lines(ACCOUNT_LINE), PROFILES: _lines(profile_line(accounts))}
