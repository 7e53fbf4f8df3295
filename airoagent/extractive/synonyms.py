"""Words that ask and answer for one another: "died" for "death", "debut" for "first", "stairs" for "steps".

One group a line; "work > book novel" holds one way only: a question's "work" may be a "book", but its "book" is not
any "work". General English only, written by hand; a word may stand in several groups. A request's word counts
in a function's description as less than itself where it is of the same group. No group says anything about the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from airoagent.text.words import stem

__all__ = ["near_words"]


_GROUPS = """
origin > built born opened opening founded completed finished released established erected invented created launched
win won winner victory champion gold
win won receive received laureate recipient awarded award honoured got get went go
award awarded prize medal honour
receive received get got given obtain obtained took
write wrote author writer novelist pen penned poet playwright text signed
book novel volume story tale
work > book novel poem painting play opera symphony song collection title masterpiece film series
book > work collection title volume published
illness > disease cancer fever anaemia tuberculosis infection stroke plague
build built construct construction constructed erect erected raise raised builder put
design designed designer architect plan planned drew draw drawing drawn sketch sketched blueprint
found founded founder establish established create created set start started
begin began begun start started outbreak broke
launch launched rose lifted blast
welcome welcomed greet greeted
confess confessed declare declared admit admitted claim claimed
offer offered sell sold provide provided
invent invented inventor invention devise devised create created develop developed pioneer introduce introduced patent
conceive conceived idea think thought suggest suggested propose proposed
discover discovered discovery discoverer find found identify identified isolate isolated detect detected
notice noticed spot spotted see saw
born birth birthplace native birthday
die died dies death dead perish succumb deaths
kill killed fatal fatally die died victim casualty accident shot hanged murdered executed
drown drowned
burial buried bury grave tomb funeral rest interred cemetery
illness disease sickness sick ill condition cause suffer suffered
tall height high stand stands rise rises reach reaches top
long length stretch stretches run runs extend extends span spans
deep depth deepest bottom
wide width broad across
heavy weigh weighs weight mass
old age aged
big large size area cover covers great vast biggest largest
small tiny little smallest least
fast speed quick quickly rate
slow slowly slowest
cost price worth expense paid pay spent money sum fee sold sell
live lived inhabit reside resided dwell home habitat settle settled
people inhabitants population residents persons
people > men women
locate located location lie lies situated stand stands sit sits found place
famous known celebrated renowned best-known best-loved well-known fame famed acclaimed masterpiece
open opened opening inaugurate inaugurated unveil unveiled public
finish finished complete completed completion end ended ready done
end ended ends close closed stop stopped cease ceased
paint painted painter painting artist picture
compose composed composer music wrote score
compose composed composer opera symphony cantata waltz song
carve carved sculpt sculpted sculptor sculpture statue
lead led leader head headed direct directed director president chief command commanded commander captain charge
marry married wife husband spouse wedding wed
father mother parent parents dad mum daughter son child children
brother sister sibling siblings
teach taught teacher lesson tutor pupil student
eat eats ate diet feed feeds prey food consume meal
call called name named known nickname nicknamed dub dubbed term
make made built consist consists composed material produce produced
material stone rock metal wood granite marble
use used purpose serve serves
cause caused because due reason result
buy bought purchase purchased acquire acquired sold
study studied educated attend attended graduated university school college learn learned degree
film movie screen
job occupation profession trade career employed employ clerk post worked
destroy destroyed ruin ruined burn burned burnt demolish demolished wreck collapse collapsed fire
damage damaged harm broke broken
happen happened occur occurred take took event
publish published publication appear appeared release released issue issued print printed came
climb climbed ascent ascend summit top reach reached
rule ruled reign reigned king queen emperor throne monarch
travel travelled journey voyage sail sailed went go trip crossing
orbit orbits circle circles revolve revolves round
moon moons satellite satellites
visit visited visitors visitor tourist tourists
language languages spoken speak speaks tongue
last lasted lasts take took duration
give gave given present presented donate donated gift hand handed award awarded bestow
ceremony presentation present presented banquet
presented awarded handed given
flow flows pass passes run runs
empty empties drain drains outflow outlet leave leaves carry carries
mouth empties end ends reach reaches flow flows
enter enters inflow flow flows join joins tributary
type kind sort species breed form variety
colour color coloured painted
maximum max limit most largest up
minimum least lowest
default defaults
option flag switch parameter argument
command program tool
folder directory
install installed installation setup
first debut original initial initially earliest firstborn beginning
last final latest end
second runner-up
will testament
sign signed signature
patent patents patented
address speech lecture talk spoke speak said
stairs stair steps step staircase
seat seats member members chair chairs
den burrow nest lair home
young cub cubs pup pups baby babies offspring calf
sketch drawing draft
building tower skyscraper structure
title > record tallest
record > most longest fastest highest
touch land landed landing down
recover recovered pick picked rescue rescued save saved
ship boat vessel carrier ferry steamer
accident > crash crashed knocked struck hit slipped wheel wagon ran
accident crash
war fight fought battle conflict
defeat defeated beat beaten lost
army troops soldiers force forces
attack attacked raid
treaty agreement pact peace
law act rule decree legal
crime steal stole stolen theft thief rob robbed
prison jail jailed imprisoned arrested arrest
pretend fake forged hoax swindle swindler trick cheat
doctor physician surgeon medicine medical
hospital clinic ward
medicine drug cure treat treated treatment
bacteria germ germs microbe mould
accidentally chance luck accident
calculate calculated compute computed work reckon calculation
computer machine engine
procedure algorithm method program
number numbers figure amount
maker makers developer developers author creator creators team
support supported maintain maintained look care after promise promised
version release
code source program software
licence license permit permission
translate translated translation decipher deciphered deciphering decode read
ancient old
comet asteroid probe spacecraft mission space
reach reached arrive arrived arrival came
leave left depart departed departure set
element metal chemical substance
predict predicted prediction forecast foresee foretold
prove proved turn turned out
race run ran runner runners
time clock clocked
distance far miles kilometres away
country nation state land
nation nationality citizen from
city town capital place
capital seat
village hamlet
currency money coin coins
flag banner
island isle islands
border frontier borders
north northern
south southern
east eastern
west western
mountain mount peak summit
river stream water
sea ocean
lake water reservoir
desert sand
forest wood trees
bridge span crossing
canal waterway channel
railway train rail station
road street route
church cathedral temple
castle palace fortress
museum gallery collection display displayed exhibit kept
keep kept stored store housed hold holds house
hide hid hidden conceal
hide hid hidden > bury buried
executed hanged beheaded guillotined
track tracked follow followed trace
adult grown-up
galactic galaxy
animal creature beast
bird birds
fish fishes
plant plants flower flowers tree
grow grows grew growth
seed seeds bean beans
drink drank beverage
cook cooked boil boiled
coffee tea drink
sugar sweet
salt salty
sleep sleeps slept asleep
swim swims swam dive dives
fly flew flight flights pilot
fast quick
hold holds contain contains contained
ingredient ingredients made contain
heat hot warm temperature
cold freeze freezes frozen ice
light lamp lamps lit shine bright
sound noise loud hear
colour hue
colour color > red orange yellow green blue purple violet pink brown black white grey gold golden silver
part parts piece pieces component components
divide divided cut split share shared half
share shared together
half part portion
join joined together unite united
separate apart
increase grew rise rose more
decrease fall fell drop shrink less
change changed become became turn
replace replaced succeed succeeded successor instead
follow followed after next succeeded
precede preceded before predecessor earlier
name namesake honour after named
inspire inspired inspiration model based influence influenced
base based basis
copy copied imitate imitated replica
similar alike resemble
different differ difference unlike
important significant key main
main chief principal
common usual often typical
rare seldom unusual
popular favourite best-loved
refuse refused reject rejected decline declined turned
accept accepted agree agreed
protest protested oppose opposed against object objected
support favour backed
allow allowed permit permitted may
forbid forbade forbidden ban banned prohibit prohibited
try tried attempt attempted
fail failed failure unsuccessful
succeed success succeeded successful managed
need needs require requires required
want wanted wish wished
believe believed thought
claim claimed state stated report reported
tell told
show showed display displayed
explain explanation
meet met encounter introduced
hire hired employ employed
resign resigned step stepped quit left
elect elected vote voted election
appoint appointed chosen choose chose select selected
crew astronaut astronauts aboard
captain skipper commander
discoverer finder
explorer expedition explore explored
emigrate emigrated moved move move went
exile exiled fled flee escape escaped
official officially recorded record
estimate estimated about around
annual yearly year every
day date
century hundred
decade ten
daily day
million millions
double twice two
wheel wheels
instrument instruments play played
song sing sang singer sung
band group
album record
match game games
player players
team side club
ball balls
goal scored score scores
rival rivals opponent competitor
sport sports
partner colleague assistant together companion
friend friends
enemy enemies
boss employer
rich wealthy fortune
poor poverty
owner own owned owns belong belongs possess possessed
inherit inherited heir left
money fortune funds fund budget
tax taxes
bank banks
company firm business corporation manufacturer maker
factory plant works mill
shop store
market markets
trade traded merchant
farm farmer farms
ride rode rider horse
car cars automobile vehicle
engine motor
fuel petrol oil coal
electric electricity power
wire cable cables wires
iron steel metal
gold golden
silver
glass window windows
wall walls
door doors gate gates
roof dome ceiling
floor storey storeys level
room rooms chamber
garden park
clock watch
letter letters mail
newspaper press paper magazine
radio wireless broadcast
telephone phone
picture photo photograph image
map maps chart
symbol emblem sign
size dimensions measure measures
high height altitude above
nationalise nationalised ownership seized
structure shape form
shape shaped form
surface area
volume capacity hold
pressure
strength strong stronger
weak weaker
danger dangerous risk
safe safety
enormous huge giant
god gods goddess
religion religious faith
king monarch ruler
prince princess
president leader
minister government
parliament assembly council
judge court trial tried
lawyer
soldier
scientist researcher physicist chemist
theory idea hypothesis
experiment experiments test tested
observe observed observation saw see
telescope
star stars
planet planets
galaxy
gravity
atom atoms
cell cells
blood
heart
brain
eye eyes
hand hands
foot feet
skin fur coat
hair
tail
teeth tooth
egg eggs lay lays laid
hunt hunted hunting
fur pelt skin
protected protect protection conserve
extinct extinction vanish vanished disappear disappeared gone
threat threatened endangered
""".strip().splitlines()


@lru_cache(maxsize=1)
def _near() -> dict[str, dict[str, float]]:
    """For each stem, the stems of its groups and what each is worth; the larger the group, the less."""
    near: dict[str, dict[str, float]] = {}
    for line in _GROUPS:
        left, one_way, right = line.partition(" > ")
        answers = {stem(word) for word in (right if one_way else left).split()}
        worth = 0.85 if len(answers) <= 6 or one_way else 0.75 if len(answers) <= 10 else 0.65
        for asked in {stem(word) for word in left.split()}:
            known = near.setdefault(asked, {})
            for other in answers - {asked}:
                known[other] = max(worth, known.get(other, 0.0))
    return near


def near_words(word: str) -> Mapping[str, float]:
    """The stems that may stand for this one and what each is worth as it, 0 to 1."""
    return _near().get(word, {})
