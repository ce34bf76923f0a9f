"""400 historic notes, English and German: the year from 1900 to 2100, and the genre of seven."""

# ruff: noqa: E501

from __future__ import annotations

from random import Random
from typing import Any

from benchmarks.own_tasks.grammar import Grammar, flipped, listed, number_near, worn
from benchmarks.own_tasks.table import DataSet, Table

__all__ = ["archive"]

_THINGS: dict[str, list[tuple[int, str]]] = {
    "en": [
        (1904, "the gas lamps / a telegraph boy / the horse tram / a steam launch / the governess"),
        (1916, "the trenches / ration cards / the biplane / a field hospital / the zeppelin"),
        (1927, "the charleston / a silent film / the crystal set / the Model T / the speakeasy"),
        (1942, "the blackout / the wireless / an air-raid shelter / the ration book / the convoy"),
        (1957, "the jukebox / a nylon dress / the new television set / a vacuum tube / Sputnik"),
        (1969, "the moon landing / a transistor radio / the mainframe / miniskirts / vinyl records"),
        (1984, "the walkman / a floppy disk / the arcade / a video recorder / the fax machine"),
        (1998, "the modem / a pager / our first web page / a compact disc / the millennium bug"),
        (2012, "the smartphone / an app / a hashtag / the cloud / a selfie"),
        (2024, "a language model / the home office / an electric scooter / a heat pump / a podcast"),
        (2045, "the fusion plant / a household robot / the hyperloop / cultured meat / the sea wall"),
        (2070, "the lunar colony / a neural implant / the weather grid / an orbital lift / the "
               "Mars mail"),
        (2092, "the Jovian fleet / an uploaded aunt / the dome over Oslo / a quantum courier / "
               "terraforming crews"),
    ],
    "de": [
        (1905, "die Gaslaternen / der Depeschenbote / die Pferdebahn / das Luftschiff / die Gouvernante"),
        (1917, "der Schützengraben / die Brotkarte / das Lazarett / die Feldpost"),
        (1926, "der Stummfilm / das Grammophon / der Tanztee / die Rentenmark"),
        (1944, "der Luftschutzkeller / der Volksempfänger / die Verdunkelung / der Bezugsschein"),
        (1956, "die Musiktruhe / das Wirtschaftswunder / der Nierentisch / das neue Fernsehgerät"),
        (1971, "der Kassettenrekorder / die Schlaghose / das Wählscheibentelefon / die Mondlandung"),
        (1986, "der Heimcomputer / die Diskette / das Faxgerät / die Mauer"),
        (1999, "das Modem / die CD / das Internetcafé / die neue Webseite"),
        (2014, "das Smartphone / die App / die Cloud / das Selfie"),
        (2040, "der Haushaltsroboter / das Fusionskraftwerk / die Flugtaxis / der Pflegeroboter"),
        (2075, "die Mondkolonie / der Weltraumlift / das Hirnimplantat / die Marspost"),
    ],
}  # fmt: skip
"""What the note speaks of, with the year around which it was talked about."""

_GENRES = {
    "en": {
        "letter": listed("my dearest {name}, {x} again kept me from writing / you ask after {x}, "
                         "{name}; all is well / with love to the children, and mind {x}"),
        "diary": listed("woke late; {x} on my mind all day / another dull evening, only {x} to "
                        "talk of / I must not forget how {x} looked today"),
        "news": listed("{place}: officials confirmed that {x} will be inspected / crowds gathered "
                       "in {place} for {x} / three were injured near {place} as {x} failed"),
        "advert": listed("now in {place}: {x} at half the price! / do you still live without {x}? "
                         "Visit us in {place} / order {x} before Friday, satisfaction guaranteed"),
        "law": listed("section {number}: whosoever damages {x} shall be fined / the keeping of {x} "
                      "requires a permit under rule {number} / {x} is hereby exempt from duty"),
        "recipe": listed("take {number} eggs, stir, and wait as patiently as for {x} / boil for "
                         "{number} minutes, best eaten beside {x} / a pudding named after {x}: "
                         "butter, flour"),
        "minutes": listed("item {number}: {x}; the motion was carried / the treasurer reported on "
                          "{x}, no questions / the committee in {place} adjourned over {x}"),
    },
    "de": {
        "letter": listed("liebe {name}, {x} hält uns alle in Atem / du fragst nach {x}, {name}, es "
                         "geht gut / sei gegrüßt, und grüß mir auch {x}"),
        "diary": listed("schlecht geschlafen, immer nur {x} im Kopf / heute nichts als {x}, ich "
                        "bin müde / ich will nie vergessen, wie {x} heute war"),
        "news": listed("{place}: die Behörden prüfen {x} / Gedränge in {place} wegen {x} / drei "
                       "Verletzte bei {place}, {x} fiel aus"),
        "advert": listed("jetzt in {place}: {x} zum halben Preis! / noch ohne {x}? Besuchen Sie "
                         "uns in {place} / {x}, solange der Vorrat reicht"),
        "law": listed("Paragraph {number}: wer {x} beschädigt, wird bestraft / {x} bedarf der "
                      "Genehmigung nach Absatz {number} / {x} ist von der Steuer befreit"),
        "recipe": listed("man nehme {number} Eier und denke dabei an {x} / {number} Minuten kochen, "
                         "dann ruhen lassen wie {x} / Pudding nach Art des Hauses, dazu {x}"),
        "minutes": listed("Punkt {number}: {x}, einstimmig angenommen / der Kassenwart berichtet "
                          "über {x} / die Sitzung in {place} wird wegen {x} vertagt"),
    },
}  # fmt: skip
_RULES = {
    "name": listed("Clara / Edith / Wilhelm / Jonas / Ada / Ruth / Emil"),
    "place": listed("Bristol / Dresden / Chicago / Linz / Lisbon / Hamburg / Perth"),
    "number": listed("2 / 4 / 7 / 11 / 19 / 30"),
}


def archive(random: Random) -> DataSet:
    """300 notes to train on."""
    grammar = Grammar(_RULES, random)
    rows = [_note(grammar, random, number) for number in range(600)]
    return DataSet(
        "archive",
        "historic notes, English and German: year 1900 to 2100, genre of 7",
        {"archive": Table("archive", "tsv", rows, dev=100, test=200)},
        {
            "year": {
                "kind": "regression",
                "columns": {"id": "signature", "text": "transcription", "label": "year"},
                "range": [1900, 2100],
            },
            "genre": {
                "kind": "classification",
                "columns": {"id": "signature", "text": "transcription", "label": "genre"},
                "labels": list(_GENRES["en"]),
            },
        },
        {"year": "archive", "genre": "archive"},
    )


def _note(grammar: Grammar, random: Random, number: int) -> dict[str, Any]:
    language = "en" if random.random() < 0.65 else "de"
    year, things = random.choice(_THINGS[language])
    genre = random.choice(list(_GENRES["en"]))
    said = [
        grammar.say(random.choice(_GENRES[language][genre]), x=random.choice(listed(things)))
        for _ in range(random.choice((1, 1, 2)))
    ]
    return {
        "signature": f"Ms. {number // 40 + 1}/{number % 40 + 1}",
        "transcription": worn(". ".join(said) + ".", random, typos=0.01),
        "year": round(number_near(year, 7, (1900, 2100), random)),
        "genre": flipped(genre, list(_GENRES["en"]), random, 0.05),
    }
