"""Words spoken by many voices of espeak-ng: further voices of a corpus's classes, and words that are none of them."""

from collections.abc import Sequence

import numpy as np

from pipelines.datasets import espeak

MANNER = ((110, 30), (220, 75))  # from the lowest tempo in words a minute and pitch to those above the highest
ACCENTS = ("en", "en-US", "en-US-nyc", "en-029", "en-GB-scotland", "en-GB-x-rp", "en-GB-x-gbclan", "en-GB-x-gbcwmd")
# Voice variants by split: no voice is in two. Robots and whispers are left out.
VOICES = {
    "train": (
        *("Alex", "Alicia", "Andrea", "Andy", "Annie", "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Jacky", "Lee"),
        *("Marco", "Mario", "Michael", "Mike", "Nguyen", "Reed", "adam", "anika", "antonio", "belinda", "benjamin"),
        *("boris", "caleb", "david", "ed", "edward", "f1", "f2", "f3", "f4", "grandma", "gustave", "ian", "iven"),
        *("klatt", "klatt2", "klatt4", "klatt5", "linda", "m1", "m2", "m3", "m4", "m5", "m7", "marcelo", "max"),
        *("michel", "miguel", "norbert", "pablo", "pedro", "quincy", "rob", "sandro", "victor", "zac"),
    ),
    "validation": ("aunty", "john", "klatt3", "m6", "paul", "shelby"),
    "test": ("f5", "grandpa", "klatt6", "m8", "robert", "steph", "travis"),
}
# Common words. No word is in two splits.
WORDS = {
    "train": (
        "about above again air all along also always and animal another answer any apple arm around ask away baby back "
        "bad ball bank bed before begin behind best better big bird black blue board boat body book both bottom box "
        "boy bread bring brother brown build busy but buy call can car carry cat catch change chair child circle city "
        "class clean clear close cloud cold color come cook cool corner could country cow cry cup cut dance dark day "
        "deep dinner dog door down draw dream drink drive dry each early earth east easy eat egg end evening every eye "
        "face fall family farm fast father feel few field find fire fish fly follow food foot forest friend from front "
        "full game garden gate gave girl give glass gold good grass gray great green ground grow hair half hand happy "
        "hard hat have head heart heavy high hill hold home horse hot hour house how hundred ice idea in "
        "inside iron island job jump just keep kind king kitchen know lake land large last late laugh lead learn leave "
        "left leg letter light line list little long look lot love low lunch machine make man many map mark market "
        "meat milk mind minute money monkey moon more morning most mother mountain mouth move much music my name "
        "neck need never new next night nose not note now number off often old on only open or orange order other our "
        "out over page paint paper park part party pass pay pen people person phone picture piece place plan plant "
        "play please point poor press pull push put queen question quick quiet radio rain reach read ready red rest "
        "rich right ring river road rock room round run sad safe salt same sand say school sea seat see sell send "
        "serve shape she ship shirt shoe shop short should show side sing sister sit sky sleep slow small smile snow "
        "some song soon sound south space speak spring stand star stay stone store story street strong student sugar "
        "summer sun sure sweet swim table take talk tall teach than thank that the then there they thing think "
        "this time today together tomorrow tonight town toward train travel true try turn under until up use very "
        "visit voice wait walk wall want warm wash watch water way we week well west wet what wheel when where white "
        "who why wide will wind window winter wish with wolf woman word work world write yard year yellow yesterday "
        "you young"
    ),
    "validation": (
        "afternoon banana breakfast bridge cheese coffee daughter doctor elephant engine finger flower guitar hammer "
        "honey jacket lemon medicine office pencil rabbit shower silver station teacher tiger village wagon zed"
    ),
    "test": (
        "alarm bicycle butter camera candle carpet castle computer cousin dragon eagle father-in-law feather hotel "
        "jungle kettle ladder marble mirror needle ocean pepper pocket rocket saddle spider temple thunder violin zee"
    ),
}

# Their names are short and sound like words that are taught: A like eight, I like five, R like four.
LETTERS = "a b c d e f g h i j k l m n p q r s t u v w x y"
LETTER_SHARE = 0.25  # of the words in training


def words(split: str, count: int, without: Sequence[str], generator: np.random.Generator) -> list[str]:
    """Draws words and, for training, letters.

    Args:
        split: Key of WORDS.
        count: Number of words.
        without: Words that are left out, such as the names of classes.
        generator: Draws.

    Returns:
        `count` words, some of them several times.
    """
    names = {name.casefold() for name in without}
    known = [word for word in WORDS[split].split() if word not in names]
    drawn = [known[i] for i in generator.integers(len(known), size=count)]
    letters = [letter for letter in LETTERS.split() if letter not in names]
    if split == "train" and letters:
        for i in np.flatnonzero(generator.random(count) < LETTER_SHARE):
            drawn[i] = letters[generator.integers(len(letters))]
    return drawn


def speak(words: Sequence[str], voices: Sequence[str], rate: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Speaks words in random voices, accents, tempos and pitches.

    Args:
        words: What is spoken, a clip each.
        voices: Voice variants of espeak-ng, taken in turn.
        rate: Sample rate of the clips in hertz.
        generator: The same generator speaks the same samples.

    Returns:
        float32 `(samples,)` in [-1, 1] each.

    Raises:
        UserError: The engine is not installed.
    """
    clips = []
    with espeak.LOCK, espeak.engine() as engine:
        for i, word in enumerate(words):
            accent = ACCENTS[generator.integers(len(ACCENTS))]
            voice = f"gmw/{accent}+{voices[i % len(voices)]}"
            clips.append(espeak.utter(engine, word, voice, rate, generator, *MANNER))
    return clips
