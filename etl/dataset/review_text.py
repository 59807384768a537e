# ruff: noqa: E501  (a sentence is easier to read on one line)
"""Words and sentence patterns for reviews: tone by tone, topic by topic."""

NEGATIVE, MIXED, POSITIVE = range(3)

SUMMARIES: tuple[tuple[str, ...], ...] = (
    (
        "{Not for me|Very disappointed|Sent {obj} back|Save your money|Nothing like the pictures}",
        "{Fell apart|Came loose|Faded} after {two weeks|one wash|three days}",
        "{Looks} {cheap|odd|unfinished} in {person|daylight}",
        "I wanted to {love|like} {this} {item}, but {no|I cannot|it was not to be}",
        "{Wrong|Strange} {colour|size|smell}, {slow|no} {answer|refund}",
        "{This} {item} {was} {uncomfortable|a mistake|not worth it} from the very first day, and I gave {obj} {a month|every chance}",
        "Would not {buy|choose} again 👎",
        '"{Premium|Handmade}"? {Hardly|I doubt it}',
    ),
    (
        "{Fine|Okay|Decent}, {nothing special|with some flaws|for the price}",
        "{Good|Nice} {idea|look}, {average|uneven} {quality|finish}",
        "{Half|Partly} {happy|pleased} with {this} {item}",
        "{Does} the job",
        "{Runs} {small|large}, otherwise {fine|good}",
        "{Three|A solid three} stars, {maybe|perhaps} {more|less} later",
        "Nice {colour|shape}, but I expected {a little more|better} at this price, to be {honest|fair}",
        "{Mixed feelings|Not bad|So-so|Could be better}",
    ),
    (
        "{Love|Adore|So happy with} {this} {item}{!| ❤️|, truly|}",
        "{Exactly|Just} what I {wanted|needed|hoped for}",
        "{Better|Even nicer} than {the pictures|I expected|my last pair of anything}",
        "{Great|Lovely|Superb} {quality|colour|find}{!|}",
        "{Worth|Well worth} {every cent|the wait|the price}",
        "My {new|absolute} favourite, I {wear|use} {obj} {every day|all week}",
        "{Bought|Ordered} a second {one|set} {right away|in another colour|for my sister}",
        "{Comfortable|Beautiful}, {sturdy|well made} and {on time|easy to care for}; I could not ask for more than that",
        "Five stars 🌟",
    ),
)

VERDICTS = (
    (
        "I {really|honestly} tried to like {this} {item}, but {it} {is} {not good enough|simply badly made}.",
        "{This} {item} {was} a {letdown|waste of money|big disappointment} from the {start|first day}.",
        "I {returned|sent back} {this} {item} {within a week|the same day|after one wear}.",
        "{Nothing|Very little} about {this} {item} matches the {photos|description}.",
        "For this price I {expected|was promised} {far more|something that lasts}.",
    ),
    (
        "{This} {item} {is} {fine|all right|decent}, neither {great|wonderful} nor {bad|terrible}.",
        "I have {mixed feelings|two minds} about {this} {item}.",
        "{Some|A few} things about {this} {item} are {good|very good}, others {less so|need work}.",
        "{It} {does} what {it} should, {no more|and that is all}.",
        "I {like|enjoy} {this} {item}, {but|although} I do not {love|need} {obj}.",
    ),
    (
        "I {love|adore|cannot stop wearing} {this} {item}.",
        "{This} {item} {is} {wonderful|fantastic|exactly right|très chic}{!|.}",
        "I have {owned|had} {this} {item} for {a month|half a year|a whole winter} and {still smile|could not be happier}.",
        "{My partner|My mother|Everyone at work} {noticed|praised} {this} {item} {at once|on the first day}.",
        "{Best|Nicest} purchase I have made {this year|in a long time} 😍",
        "I was {unsure|sceptical} at first, but {this} {item} {is} {perfect|a joy}.",
    ),
)

FITS = (
    (
        (
            "The {sleeves|shoulders|seams} {pull|pinch} and the {length|cut} is {wrong|strange} on me.",
            "I ordered my {usual|normal} size and could {barely move|not close the zip}.",
            "{It} {fits} like a {tent|sack}, {two|three} sizes too {big|wide}.",
            "{Runs} {very|far too} {small|short}, and the size chart is {no help|plainly wrong}.",
        ),
        (
            "The {fit|cut} is {okay|fair} once you go {up|down} a size.",
            "{Good|Right} in the {shoulders|waist}, {too long|a bit short} {below|elsewhere}.",
            "I am {5'4\"|six feet tall|between sizes}, and a {medium|small} was {nearly|almost} right.",
            "A {touch|little} {loose|snug}, {but|yet} {wearable|not a problem with a belt}.",
        ),
        (
            "{Fits} {perfectly|like a glove|just as the chart says}, and I am usually {hard to fit|between sizes}.",
            "I am {5'2\"|5'9\"|six foot one} and the {medium|large|small} is {spot on|exactly right}.",
            "The {cut|length} is {flattering|spot on}, {not too|never} {tight|long}.",
            "{True to size|Order your usual size}, {no surprises|the chart is right}.",
        ),
    ),
    (
        (
            "They {rub|pinch} at the {heel|toes}, and I had {blisters|sore feet} by {noon|the first evening}.",
            "My usual {9|8.5|10} was {a whole size|half a size} too {small|big}.",
            "Far too {narrow|wide}, even with {thin|thick} socks.",
            "The {left|right} one is {longer|tighter} than the other, {really|no joke}.",
        ),
        (
            "The {length|size} is right, the {width|toe box} {less so|is a little tight}.",
            "They needed {two weeks|a few walks} to {break in|soften}.",
            "Go {half a size|one size} {up|down} and they are {fine|wearable}.",
            "A bit {stiff|loose} at the {ankle|heel}, {better|fine} with {other laces|an insole}.",
        ),
        (
            "They fit {straight out of the box|perfectly}, {no|without any} breaking in.",
            "I have {wide|narrow|flat} feet, and these are the {first|only} ones that {fit|do not hurt}.",
            "True to size, with {room for thick socks|enough space at the toes}.",
            "I took a {7.5|9|11}, as always, and it {is|was} {just right|spot on}.",
        ),
    ),
    (
        (
            "It is {much smaller|far bigger} than the {photo|page} {suggests|says}.",
            "The {clasp|strap|edge} {scratches|digs in} and {cannot be adjusted|will not stay put}.",
            "It {slips|slides} {off|around} all day.",
            "The measurements on the page are {wrong|off by a lot}.",
        ),
        (
            "It is a little {smaller|larger} than I {imagined|had hoped}.",
            "The size is {fine|okay}, the {weight|clasp} {takes getting used to|could be better}.",
            "Fits {most|some} days, {depending on my hair|not with gloves}.",
            "Good {length|width}, {fiddly|slightly awkward} {clasp|fastening}.",
        ),
        (
            "Just the right size, {not too heavy|light as air}.",
            "It {sits|stays} {perfectly|exactly} where it should.",
            "{Adjusts|Closes} {easily|with one hand}, and it {never slips|does not slip}.",
            "It is {roomier|more delicate} than it looks, {in the best way|which I love}.",
        ),
    ),
)

FEELS = (
    (
        "The material {is scratchy|feels like plastic|smells odd} and {gets worse|stays that way} after washing.",
        "{Itchy|Stiff|Clammy}, {all day|from the first minute}.",
        "I could not {stand|bear} {obj} for more than {an hour|a morning}.",
        "{Thin|Flimsy}, {cold|sweaty} and {rough|unpleasant} {on the skin|inside}.",
    ),
    (
        "Comfortable {enough|for a few hours}, {then|after that} {less so|it is another story}.",
        "The material is {soft|smooth}, {though|but} {thinner|heavier} than {expected|hoped}.",
        "{Fine|Pleasant} in {cool|mild} weather, {too warm|clammy} {indoors|in summer}.",
        "{It} {feels} {better|nicer} after {the first|a second} wash.",
    ),
    (
        "So {soft|comfortable|light} that I {forget|barely notice} I am wearing {obj}.",
        "The material is {thick|smooth|warm} without being {heavy|stiff}.",
        "I wore {obj} for {twelve hours|a whole wedding|a long flight} {without a thought|and felt great}.",
        "{Cosy|Breathable|Gentle}, {even|also} on {sensitive skin|hot days|a bicycle}.",
    ),
)

MAKES = (
    (
        "{Two|Three} {seams|threads} {opened|came loose} within {days|a week}.",
        "The colour {ran|faded} in the {first|second} wash and took a {towel|white shirt} with it.",
        "{Glue|Loose threads|A stain} where there should be {none|clean edges}, {sadly|shame}.",
        "The {photos|pictures} are {flattering|generous}; {it} {looks} {dull|cheap} {in person|up close}.",
    ),
    (
        "The {stitching|finish} is {uneven|so-so} in {one place|places}, the colour {lovely|true}.",
        "{Looks} {good|smart} from afar, {average|plain} up close.",
        "It is not {the quality|as well made as} {of ten years ago|my old one}, but {acceptable|okay}.",
        "One {button|thread} was loose, {five minutes|a needle} fixed it.",
    ),
    (
        "The {stitching|finish|detail} is {beautiful|flawless|very neat}.",
        "The colour is {deep|rich|true to the photos} and {stays|has stayed} that way after {many|five} washes.",
        "You can tell that {someone cared|it was made with care}.",
        "{Sturdy|Solid|Well made}: {it} will last {years|a long time}.",
        'My {daughter|friend|boss} asked "{where did you get that|is it handmade|may I borrow it}?"',
    ),
)

EVENTS = (
    (
        "Delivery took {three weeks|forever}, and {nobody|no one} answered my {mails|calls}.",
        "It arrived {wrinkled|in a torn bag|with someone else's invoice}.",
        "The {zip|strap|label} {broke|tore} on the {first|second} {day|outing}.",
        "I wore {obj} {once|twice}, to {dinner|the office}, and {regretted it|went home to change}.",
    ),
    (
        "Delivery was {quick|late}, packing {plain|a bit much}.",
        "I use {obj} for {gardening|errands|the school run}, and for that {it} {is} {fine|good}.",
        "{Bought|Got} {obj} {on sale|as a gift}; at full price I would {hesitate|think twice}.",
        "The other colours look {nicer|better}, I think.",
    ),
    (
        "Arrived {in two days|a day early|just before my trip}, {nicely|carefully} packed.",
        "I wore {obj} {to my sister's wedding|hiking in the rain|on a week in Lisbon}, {and got compliments|no complaints}.",
        "{It} {goes} with {everything I own|jeans as well as a suit}.",
        "{Perfect|Great} for {the office|travel|autumn evenings|long walks with the dog}.",
    ),
)

CLOSINGS = (
    (
        "{Avoid|Look elsewhere|Keep your receipt}.",
        "I {cannot|would not} recommend {obj} to {anyone|a friend}.",
        "{One star|Two stars} {because|only since} the {parcel|box} was nice.",
        "Lesson learned, {sadly|at my cost}.",
    ),
    (
        "I {might|may} keep {obj}, I {might|may} not.",
        "{Fine|Good enough} if you {find a discount|are not picky}.",
        "Would I buy {obj} again? {Perhaps|Ask me in a year}.",
        "{Three stars|A fair deal}, {no more|all in all}.",
    ),
    (
        "{Highly|Warmly} recommended{!|.}",
        "I will {definitely|surely} {order|buy} {another|again}.",
        "{Do not hesitate|Treat yourself|Go for it}{!|, you will not regret it.}",
        "Thank you{!|, well done!| 🙏}",
        "{Ten out of ten|Five stars}, {would buy again|no notes}.",
    ),
)

RESPONSES: tuple[tuple[str, ...], ...] = (
    (
        "We are {sorry|very sorry} to read this. Please {write to|call} our service team, and we will {make it right|send a replacement}.",
        "Thank you for {telling us|your honesty}. This is not {our standard|what we promise}; a {refund|new one} is on its way.",
        "That should not {happen|have happened}. We have {passed this on to|spoken with} the workshop.",
    ),
    (
        "Thank you for the {fair|balanced} review. We are {working on|changing} the {sizing|size chart|finish}.",
        "Thanks! A {tip|hint}: {wash cold once|air it for a day|try the next size}, and it will {soften|sit better}.",
        "We {appreciate|value} your notes, and {hope|trust} it grows on you.",
    ),
    (
        "Thank you{!|, that made our day!} Enjoy {it|every day of it}.",
        "So {glad|happy} you {like|love} it{!|, come back soon.}",
        "{Wonderful|Lovely} to hear, {thanks|many thanks} from {all of us|the whole workshop}!",
    ),
)

FIRST_NAMES = (
    "Alice Bruno Carmen Dmitri Elena Farid Greta Hugo Ines Jonas Keiko Liam Maya Noor Oscar "
    "Priya Quentin Rosa Sven Tara Umar Vera Wendell Ximena Yusuf Zoë José Łukasz Aoife Chloé "
    "Björn Mirela"
).split()
LAST_NAMES = (
    "Abbott Brandt Castillo Dunn Eriksen Farrow Gomez Hale Ibarra Jansen Kowalski Lindqvist "
    "Moreau Nakamura Okafor Petrov Quist Ramos Silva Tanaka Ueda Vance Whitlock Xu Young Zeller "
    "Müller Ortiz Novak Keane Marsh Bellamy"
).split()
NICKNAMES = (
    "sunny rainy fussy thrifty lazy speedy cosy picky tiny mighty dapper sleepy vintage urban "
    "dusty lucky"
).split()
CREATURES = (
    "shopper otter walker badger runner magpie dad nan cyclist fox student tailor panda nurse "
    "gardener heron"
).split()
ODD_EMAILS = ("a", "none", "n/a", "me@", "x@y", "first.last@example", "-", "test")
