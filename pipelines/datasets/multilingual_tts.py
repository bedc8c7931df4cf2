"""English, Urdu, Punjabi and Sindhi words and phrases, single and mixed, spoken by espeak-ng's formant synthesizer.

Four languages in three scripts (Latin, Arabic with Urdu's and Sindhi's letters, Gurmukhi), an audio corpus that comes
with an install. The words are greetings, numbers, colors, days, family and household things.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from pipelines import audio
from pipelines.datasets import espeak, files, transcripts
from pipelines.datasets.base import Corpus, DataConfig, Modality

LABELS = "texts"
SAMPLE_RATE_HZ = 16000
LANGUAGES = {"en": "gmw/en", "ur": "inc/ur", "pa": "inc/pa", "sd": "inc/sd"}  # language -> the engine's voice
GROUPS = (*LANGUAGES, "mixed")
# No word sounds like one of another language that is written differently (Urdu's and Punjabi's "ten", for example).
WORDS = {
    "en": (
        "hello thanks please yes no one two three four five six seven eight nine ten red green blue white "
        "black yellow mother father brother sister friend water bread house book school monday tuesday "
        "wednesday thursday friday saturday sunday today tomorrow morning evening night big small good"
    ),
    "ur": (
        "بیٹا بیٹی شہر دودھ درخت سورج چاند بیس دن خوش ہزار سلام شکریہ جی نہیں ایک دو تین چار پانچ چھ سات "
        "آٹھ نو دس سرخ سبز نیلا سفید کالا پیلا ماں باپ بھائی بہن دوست پانی روٹی گھر کتاب پیر منگل بدھ "
        "جمعرات جمعہ ہفتہ اتوار آج کل صبح شام رات بڑا چھوٹا اچھا"
    ),
    "pa": (
        "ਪੁੱਤਰ ਧੀ ਪਿੰਡ ਦੁੱਧ ਰੁੱਖ ਚੰਨ ਗਿਆਰਾਂ ਵੀਹ ਸੌ ਬੂਹਾ ਖੇਤ ਮੀਂਹ ਜੀਵਨ ਖ਼ੁਸ਼ੀ ਅਸਮਾਨ ਨਮਸਤੇ ਧੰਨਵਾਦ ਹਾਂ ਇੱਕ "
        "ਤਿੰਨ ਪੰਜ ਨੌਂ ਲਾਲ ਹਰਾ ਨੀਲਾ ਚਿੱਟਾ ਪੀਲਾ ਪਿਤਾ ਭਰਾ ਭੈਣ ਮਿੱਤਰ ਘਰ ਸਕੂਲ ਸੋਮਵਾਰ ਮੰਗਲਵਾਰ ਬੁੱਧਵਾਰ ਵੀਰਵਾਰ "
        "ਸ਼ੁੱਕਰਵਾਰ ਸ਼ਨੀਵਾਰ ਐਤਵਾਰ ਕੱਲ੍ਹ ਸਵੇਰ ਵੱਡਾ ਚੰਗਾ"
    ),
    "sd": (
        "پٽ وڻ کير ڏينهن ويهه ڳوٺ سج چنڊ دروازو پکي مڇي مينهن سلام مهرباني نه هڪ ٻه ٽي چار پنج ڇهه نو ڏهه "
        "ڳاڙهو سائو نيرو اڇو ڪارو پيلو امان بابا ادا ڀيڻ دوست ماني گهر اسڪول سومر اڱارو اربع خميس جمعو "
        "ڇنڇر آچر سڀاڻي صبح شام رات وڏو ننڍو سٺو"
    ),
}
# A speaker is a voice variant, whatever the language: its vocal tract is then in one split only.
SPEAKERS = {
    "train": (
        *("m1", "m2", "m3", "m4", "m5", "m7", "f1", "f2", "f3", "f4"),
        *("Mario", "belinda", "linda", "john"),
    ),
    "validation": ("m6", "Annie"),
    "test": ("m8", "f5", "steph", "travis"),
}
MAX_WORDS = 4
PAUSE_MS = (40, 160)  # between the words of mixed phrases


Phrase = tuple[tuple[str, str], ...]  # (language, word) each


@dataclasses.dataclass(frozen=True)
class Config(DataConfig):
    """How much is spoken; no voice and no phrase is in two splits, and the fractions are not used."""

    name: str = "multilingual_tts"  # dataset, see `python -m tfrec list`
    training_clips: int = 1500  # of all five groups together: the languages and mixed phrases
    validation_clips: int = 150  # by two other voices
    test_clips: int = 300  # by four other voices
    speech_seed: int = 0  # of phrases, speed, pitch, loudness and the silence around a phrase

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, maximum in (("training_clips", 20_000), ("validation_clips", 400), ("test_clips", 400)):
            value = getattr(self, field)
            if not len(GROUPS) <= value <= maximum:
                raise ValueError(f"data.{field} must be {len(GROUPS)} to {maximum:,}. Received: {value}")


def modality(config: Config) -> Modality:
    """Returns "audio"."""
    return "audio"


def load(config: Config, sample_rate_hz: int | None = None) -> Corpus:
    """Speaks the corpus into memory; the same config gives the same samples. A hundred clips take seconds.

    A speaker is a voice variant; a group is a language, or "mixed".

    Args:
        config: How much is spoken.
        sample_rate_hz: The rate that clips are converted to; None is 16000.

    Returns:
        The Corpus.

    Raises:
        UserError: The engine is not installed.
    """
    rate = sample_rate_hz or SAMPLE_RATE_HZ
    generator = np.random.default_rng(config.speech_seed)
    rows: list[files.Row] = []
    waveforms = []
    with espeak.LOCK, espeak.engine() as (speak, engine_hz):
        for split, group, phrase in _phrases(config, generator):
            speaker = str(generator.choice(SPEAKERS[split]))
            spoken = audio.resample_array(_spoken(speak, engine_hz, phrase, speaker, generator), engine_hz, rate)
            waveforms.append(espeak.vary(spoken, rate, generator))
            name = f"{group}+{speaker}_{len(rows)}"
            rows.append(files.Row(name, split=split, group=group, text=_text(phrase), speaker=speaker))
    parts = {name: [i for i, row in enumerate(rows) if row.split == name] for name in SPEAKERS}
    return transcripts.build_corpus_in_memory(config, rows, waveforms, parts, rate)


def _phrases(config: Config, generator: np.random.Generator) -> list[tuple[str, str, Phrase]]:
    """(split, group, phrase) of every clip; the text of a phrase is in one split only."""
    words = {language: listed.split() for language, listed in WORDS.items()}
    counts = {"test": config.test_clips, "validation": config.validation_clips, "train": config.training_clips}
    split_of: dict[str, str] = {}
    phrases = []
    # The smaller splits draw first: single words are few, and training takes the remaining ones.
    for split, count in counts.items():
        for i in range(count):
            group = GROUPS[i % len(GROUPS)]
            while split_of.setdefault(_text(phrase := _phrase(words, group, generator)), split) != split:
                pass
            phrases.append((split, group, phrase))
    return phrases


def _phrase(words: Mapping[str, Sequence[str]], group: str, generator: np.random.Generator) -> Phrase:
    if group != "mixed":
        languages = [group] * int(generator.integers(1, MAX_WORDS + 1))
    else:
        languages = [str(name) for name in generator.choice(list(words), generator.integers(2, MAX_WORDS + 1))]
        if len(set(languages)) == 1:
            languages[0] = next(name for name in words if name != languages[0])
    return tuple((language, str(generator.choice(words[language]))) for language in languages)


def _text(phrase: Phrase) -> str:
    return " ".join(word for _, word in phrase)


def _spoken(
    speak: espeak.Speak, engine_hz: int, phrase: Phrase, speaker: str, generator: np.random.Generator
) -> np.ndarray:
    """float32 `(samples,)` of a phrase: spoken as a whole in one language, word by word in several."""
    words_per_minute, pitch = (int(value) for value in generator.integers((120, 30), (200, 71)))

    def spoken(language: str, text: str) -> np.ndarray:
        return espeak.trim(speak(text, f"{LANGUAGES[language]}+{speaker}", words_per_minute, pitch))

    if len({language for language, _ in phrase}) == 1:
        return spoken(phrase[0][0], _text(phrase))
    pieces: list[np.ndarray] = []
    for language, word in phrase:
        pause = int(generator.integers(*PAUSE_MS)) * engine_hz // 1000
        pieces += [np.zeros(pause if pieces else 0, np.float32), spoken(language, word)]
    return np.concatenate(pieces)
