# ruff: noqa: E501  (a sentence is easier to read on one line)
"""Words and sentence patterns for the catalogue: names, slogans, descriptions, features."""

from etl.dataset.phrases import Voice

CATEGORIES: tuple[str, ...] = (
    "Jackets",
    "Pants",
    "Shirts",
    "Dresses",
    "Shoes",
    "Sneakers",
    "Accessories",
)
CATEGORY_WEIGHTS: tuple[int, ...] = (14, 15, 15, 12, 11, 11, 22)

VOICES: dict[str, Voice] = {
    "Jackets": Voice("jacket", plural=False),
    "Pants": Voice("pants", plural=True),
    "Shirts": Voice("shirt", plural=False),
    "Dresses": Voice("dress", plural=False),
    "Shoes": Voice("shoes", plural=True),
    "Sneakers": Voice("sneakers", plural=True),
    "Accessories": Voice("piece", plural=False),
}

CLOTHES, SHOES, ACCESSORIES = range(3)
FAMILIES: dict[str, int] = {
    "Jackets": CLOTHES,
    "Pants": CLOTHES,
    "Shirts": CLOTHES,
    "Dresses": CLOTHES,
    "Shoes": SHOES,
    "Sneakers": SHOES,
    "Accessories": ACCESSORIES,
}

CHARACTERISTICS: tuple[tuple[str, ...], ...] = (
    ("Fit", "Length", "Comfort", "Quality"),
    ("Size", "Width", "Comfort", "Quality"),
    ("Quality",),
)

SIZES: tuple[tuple[str, ...], ...] = (
    ("XS", "S", "M", "L", "XL", "XXL"),
    ("7", "7.5", "8", "8.5", "9", "9.5", "10", "10.5", "11", "11.5", "12"),
    ("One Size",),
)

ADJECTIVES = (
    "Harbour Northern Quiet Early Copper Wandering Second Salt River Foxglove Tall Evening "
    "Paper Weekend Hidden Juniper Bright Plain Winter Lantern Slow Meadow Little Iron "
    "Marigold Station Open Velvet Summit Sunday Driftwood Painted Rainy Garden Café Kestrel "
    "Folded Midnight Amber Coastal Thistle Modern Island Hazel Market Señor Gallery Cedar "
    "Honest Bramble Silver Pocket Orchard Signal Gentle Fjäll Terrace Union Clover Desert "
    "Willow Atlas Larkspur Railway"
).split()

MATERIALS: tuple[tuple[str, ...], ...] = (
    tuple(
        "Cotton Linen Wool Denim Corduroy Flannel Twill Jersey Canvas Merino Fleece Poplin "
        "Chambray Tweed Satin Velour".split()
    ),
    tuple(
        "Suede Leather Canvas Nubuck Mesh Knit Felt Rubber Cork Wool Hemp Ripstop Denim "
        "Patent Woven Waxed".split()
    ),
    tuple(
        "Leather Brass Wool Silk Straw Canvas Enamel Linen Felt Steel Beaded Braided Cashmere "
        "Bamboo Glass Raffia".split()
    ),
)

NOUNS: dict[str, tuple[str, ...]] = {
    "Jackets": tuple("Jacket Parka Coat Anorak Bomber Blazer Windbreaker Peacoat".split()),
    "Pants": tuple("Pants Trousers Jeans Chinos Joggers Slacks Leggings Culottes".split()),
    "Shirts": tuple("Shirt Tee Blouse Polo Henley Overshirt Tunic Sweatshirt".split()),
    "Dresses": tuple("Dress Sundress Gown Shift Pinafore Wrap Jumper Slip".split()),
    "Shoes": tuple("Shoes Boots Loafers Sandals Oxfords Clogs Brogues Mules".split()),
    "Sneakers": tuple("Sneakers Trainers Runners High-Tops Low-Tops Skaters Joggers Kicks".split()),
    "Accessories": tuple("Scarf Belt Hat Cap Tote Wallet Bracelet Watch".split()),
}

COLOURS = (
    "Forest Moss Charcoal Ivory Rust Navy Slate Mustard Plum Sand Sky Clay Cream Cobalt Rose "
    "Olive Graphite Coral Teal Ochre Lilac Stone Cherry Denim Chalk Ink Peach Sage Brick "
    "Espresso Mint Crème"
).split()

SLOGANS = (
    "Made for {long walks|slow mornings|busy days|late trains|any weather}",
    "{Simple|Quiet|Easy} by {design|nature|habit}",
    "{Wear|Keep|Love} {obj} for {years|every season|a lifetime}",
    "Because {Mondays|weekends|small things|details} matter",
    "{Less|Little} fuss, more {comfort|colour|character|daylight}",
    "Your {new|next|old} favourite, {only better|at last|again}",
    "{Goes} with {everything|almost anything|nothing and everything}",
    "Built {slowly|by hand|to last}, worn {daily|often|everywhere}",
    "As {easy|honest|useful} as {it} {looks}",
    'The "{just right|one more|go anywhere}" {item}',
    "A {small|fine|quiet} pleasure, {rain or shine|day after day|without the price}",
    "{Made|Cut|Finished} with {care|patience|good sense}, sold without noise",
)

OPENINGS = (
    "{This} {item} {was} {drawn|planned|designed} for {days|trips|weeks} that {start early|run late|never go to plan}.",
    "We {made|cut|tested} {this} {item} {for two winters|in three cities|with forty people} before we were {happy|satisfied}.",
    "{A|Our} {modern|relaxed|careful} take on a {classic|workshop staple|family favourite} that {never left|deserves to come back}.",
    "Whether you {walk|cycle|take the bus} to work or {stay at home|head for the hills}, {this} {item} {goes} along.",
    "{Light|Sturdy|Soft} enough for {every day|travel|the weekend}, {neat|smart} enough for {dinner|the office|a wedding}.",
    "You asked for {something simpler|more pockets|better colours|fewer seams}, so here {is} {this} {item}.",
    "Think of {obj} as the {quiet|dependable|cheerful} part of your {wardrobe|week|luggage}.",
)

MATERIAL_SENTENCES = (
    "The {outer|main|upper} layer is {brushed|washed|tightly woven} for a {soft|dry|smooth} hand and {ages|softens} {well|with wear}.",
    "Every {seam|edge|stitch} is {doubled|bound|checked twice}, so nothing {frays|rubs|comes loose}.",
    "We buy the {cloth|thread|trim} from {a family mill|a small workshop|one supplier} and {print its name inside|visit every spring}.",
    "{Recycled|Plant-based|Undyed} {lining|thread|trim} keeps the {footprint|weight|price} down without {showing|feeling thin}.",
    "The finish {sheds light rain|resists stains|stays matt}, and the colour {holds|keeps} after {thirty|fifty|many} washes.",
    "It is {warm|cool} when it should be, {breathes|gives} where you {move|bend}, and {weighs|creases} next to nothing.",
)

DETAIL_SENTENCES = (
    "{Deep|Hidden|Well placed} {pockets|details|fastenings} were {drawn|placed|made} with {cold hands|long days|keys and a phone|gloves} in mind.",
    "The {inside|back|edge} carries a {small loop|name tag|stripe of colour}, because {good things get borrowed|details are fun}.",
    "{Flat|Rounded|Reinforced} {edges|corners|joins} mean {no pinching|no bulk|no rough spots}, even after {ten hours|a long flight}.",
    "{Buckles|Buttons and eyelets} are {brass|steel|horn}, and {spares come|a spare comes} in the {box|packet}.",
    'One customer called it "{the last one I will buy|my travel uniform|oddly perfect}", and we {agree|printed that on the wall}.',
    "The cut is {roomy|close|straight}, {never boxy and never tight|neither boxy nor tight}, and {suits|flatters} {most people|more people than you would think}.",
)

CARE_SENTENCES = (
    "Wash {cold|at 30 °C}, dry {flat|in the shade|on a line}, and {forget the iron|store it loosely|wear it again}.",
    "{Wipe|Brush} clean, {air|rest} overnight, and {it} will {last|stay handsome} for {years|many seasons}.",
    "Sizes {run true|are generous}; if you are {between two|unsure}, {take the smaller|go up one}.",
    "Comes in a {paper|cotton} {bag|wrap} that you can {reuse|plant, really: it holds seeds}.",
    "{Repairs|Small repairs} are free for {two|three} years, {postage included|no questions asked}.",
    "Pairs well with {denim|wool|bare ankles|bright socks|a plain tee} and {good company|a long weekend|too much coffee}.",
)

DESCRIPTION_PARTS = (OPENINGS, MATERIAL_SENTENCES, DETAIL_SENTENCES, CARE_SENTENCES)

FEATURES: tuple[tuple[tuple[str, str], ...], ...] = (
    (
        (
            "Fabric",
            "Organic Cotton|Wool Blend|Washed Linen|Denim|Recycled Polyester|Canvas|Merino|100% Hemp",
        ),
        ("Buttons", "Brass|Horn|Press Stud|Corozo|Shell|Wood|Rubber|Hidden Zip"),
        ("Cut", "Loose|Slim|Straight|Tailored|Cropped|Relaxed, dropped shoulder|Boxy|Fitted"),
        ("Lining", "Unlined|Cotton|Quilted|Satin|Mesh|Half Lined|Fleece|Viscose"),
        (
            "Fair Trade Certified",
            "Yes|In Progress|Mill Only|Yes, since 2015|Partly|Full|Pending|Cotton Only",
        ),
    ),
    (
        ("Sole", "Rubber|Crêpe|Cork|Leather|EVA Foam|Recycled Tyre|Gum|Wedge"),
        ("Material", "Full Grain Leather|Suede|Canvas|Knit|Nubuck|Felt|Mesh|Vegan Leather"),
        (
            "Mid-Sole",
            "Soft Arch|Stability Plate|Dual Foam|Cork Bed|None|Shock Pad|Rigid|Flex Groove",
        ),
        (
            "Stitching",
            "Goodyear Welt|Blake|Double Row|Hand Sewn|Cemented|Storm Welt|Sidewall|Triple Row",
        ),
        ("Closure", "Laces|Slip-On|Buckle|Zip|Hook and Loop|Elastic|Toggle|Strap"),
    ),
    (
        ("Material", "Leather|Brass|Silk|Straw|Steel|Felt|Enamel|Cashmere"),
        ("Finish", "Matt|Polished|Brushed|Waxed|Antique|Natural|Lacquered|Oiled"),
        ("Origin", "Portugal|Italy|Japan|Peru|Scotland|Vermont|Türkiye|India"),
        ("Non-GMO", "Yes|Cotton Only|Certified|Not Applicable|In Progress|Full|Partly|Lining Only"),
        ("Width", '2 cm|3 cm|1" strap|4 cm|Adjustable|5 cm|Slim|Wide'),
    ),
)
