"""400 chat messages in four languages: the language, the tone of four, politeness from 0 to 1."""

# ruff: noqa: E501

from __future__ import annotations

from random import Random
from typing import Any

from benchmarks.own_tasks.grammar import flipped, listed, number_near, worn
from benchmarks.own_tasks.table import DataSet, Table

__all__ = ["chats"]

_TONES = {
    "en": {
        "joy": "I am over the moon / we did it, hooray / best news of the year / so happy for you",
        "anger": "this makes me furious / stop wasting my time / I am sick of your excuses / how "
                 "dare you",
        "worry": "I am afraid it will go wrong / I could not sleep for worry / what if nobody comes "
                 "/ something is not right, I feel it",
        "calm": "the meeting is at four / the keys are on the shelf / I will be there after lunch / "
                "the train leaves from platform two",
    },
    "de": {
        "joy": "ich freue mich riesig / wir haben es geschafft, hurra / die beste Nachricht seit "
               "langem / ich bin so glücklich",
        "anger": "das macht mich wütend / verschwende nicht meine Zeit / ich habe die Ausreden satt "
                 "/ was fällt dir ein",
        "worry": "ich fürchte, das geht schief / ich konnte vor Sorge nicht schlafen / was, wenn "
                 "keiner kommt / da stimmt etwas nicht",
        "calm": "die Sitzung ist um vier / die Schlüssel liegen im Regal / ich komme nach dem Essen "
                "/ der Zug fährt von Gleis zwei",
    },
    "es": {
        "joy": "estoy contentísimo / lo logramos, viva / la mejor noticia del año / qué alegría "
               "me das",
        "anger": "esto me pone furioso / no me hagas perder el tiempo / estoy harta de tus excusas "
                 "/ cómo te atreves",
        "worry": "temo que salga mal / no pude dormir de la preocupación / y si no viene nadie / "
                 "algo no va bien",
        "calm": "la reunión es a las cuatro / las llaves están en el estante / llego después de "
                "comer / el tren sale de la vía dos",
    },
    "fr": {
        "joy": "je suis aux anges / on a réussi, hourra / la meilleure nouvelle de l'année / "
               "quel bonheur",
        "anger": "ça me met en rage / arrête de me faire perdre mon temps / j'en ai assez de tes "
                 "excuses / comment oses-tu",
        "worry": "j'ai peur que ça tourne mal / je n'ai pas dormi tant j'étais inquiet / et si "
                 "personne ne vient / quelque chose cloche",
        "calm": "la réunion est à seize heures / les clés sont sur l'étagère / j'arrive après le "
                "déjeuner / le train part du quai deux",
    },
}  # fmt: skip
_MANNERS = {
    "en": ("would you be so kind as to answer / thank you very much for your patience / could you "
           "please let me know", "let me know / see you / talk later", "answer me, now / get lost / "
           "whatever, idiot"),
    "de": ("wären Sie so freundlich, zu antworten / haben Sie vielen Dank für Ihre Geduld / könnten "
           "Sie mir bitte Bescheid geben", "sag Bescheid / bis dann / wir reden später",
           "antworte endlich / hau ab / mir egal, du Trottel"),
    "es": ("sería tan amable de contestarme / muchas gracias por su paciencia / podría avisarme, "
           "por favor", "avísame / nos vemos / hablamos luego", "contesta ya / lárgate / me da "
           "igual, idiota"),
    "fr": ("auriez-vous l'amabilité de me répondre / merci infiniment pour votre patience / "
           "pourriez-vous me prévenir, s'il vous plaît", "tiens-moi au courant / à plus / on se "
           "reparle", "réponds tout de suite / dégage / je m'en fiche, imbécile"),
}  # fmt: skip
_POLITE = (0.9, 0.5, 0.08)
_NAMES = listed("Ana / Piotr / Lena / Marc / Inés / Jo / Yusuf")


def chats(random: Random) -> DataSet:
    """300 messages to train on."""
    rows = [_message(random) for _ in range(600)]
    same = {"text": "msg"}
    return DataSet(
        "chats",
        "chat messages, four languages mixed: language of 4, tone of 4, politeness 0 to 1",
        {"chats": Table("chats", "jsonl", rows, dev=100, test=200)},
        {
            "language": {
                "kind": "classification",
                "columns": same | {"label": "lang"},
                "labels": list(_TONES),
            },
            "tone": {
                "kind": "classification",
                "columns": same | {"label": "tone"},
                "labels": list(_TONES["en"]),
            },
            "politeness": {
                "kind": "regression",
                "columns": same | {"label": "politeness"},
                "range": [0, 1],
            },
        },
        dict.fromkeys(("language", "tone", "politeness"), "chats"),
    )


def _message(random: Random) -> dict[str, Any]:
    language = random.choice(list(_TONES))
    tone = random.choice(list(_TONES[language]))
    manner = random.randrange(3)
    said = [
        random.choice(listed(_TONES[language][tone])),
        random.choice(listed(_MANNERS[language][manner])),
    ]
    if random.random() < 0.3:  # a message that changes languages half way
        guest = random.choice(list(_TONES))
        said.append(random.choice(listed(_TONES[guest][tone])))
    if random.random() < 0.4:
        said.insert(0, random.choice(_NAMES))
    if random.random() < 0.3:
        said[-2:] = said[:-3:-1]
    text = random.choice((", ", ". ", " - ", "! ")).join(said)
    return {
        "msg": worn(text, random, typos=0.03),
        "lang": flipped(language, list(_TONES), random, 0.04),
        "tone": flipped(tone, list(_TONES["en"]), random, 0.07),
        "politeness": round(number_near(_POLITE[manner], 0.08, (0, 1), random), 2),
    }
