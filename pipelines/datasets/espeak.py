"""espeak-ng's formant synthesizer, which comes with the extra `tts`: text to waveforms in many voices."""

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pipelines import audio
from pipelines.errors import UserError

Speak = Callable[[str, str, int, int], np.ndarray]  # (text, voice, words per minute, pitch) -> float32 (samples,)

LOCK = threading.Lock()  # to be held around `engine`, whose state is global

# From espeak-ng's speak_lib.h.
_SYNCHRONOUS, _DONT_EXIT, _UTF8, _RATE, _PITCH = 2, 0x8000, 1, 1, 3
_HANDLER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_QUIETEST_PEAK_DB = -12.0  # of full scale
_SILENCE_FRACTION = 0.01  # of the peak; quieter samples are silence


@contextlib.contextmanager
def engine() -> Iterator[tuple[Speak, int]]:
    """Loads the engine, and unloads it at the end.

    Yields:
        (a function that speaks: text, voice, words per minute, pitch -> float32 `(samples,)`; their rate in hertz).

    Raises:
        UserError: The engine is not installed or lacks its data, or a voice is unknown.
    """
    library, data_folder = _load()
    chunks: list[np.ndarray] = []

    @_HANDLER
    def collect(samples: Any, count: int, _: Any) -> int:
        if samples and count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).astype(np.float32) / 32768)
        return 0

    engine_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(data_folder), _DONT_EXIT)
    if engine_hz <= 0:
        raise UserError(
            f"espeak-ng cannot start from {data_folder}: its data must be there, at a path below 160 characters."
        )

    def speak(text: str, voice: str, words_per_minute: int, pitch: int) -> np.ndarray:
        chunks.clear()
        data = text.encode() + b"\0"
        failed = (
            library.espeak_SetVoiceByName(voice.encode())
            or library.espeak_SetParameter(_RATE, words_per_minute, 0)
            or library.espeak_SetParameter(_PITCH, pitch, 0)
            or library.espeak_Synth(data, len(data), 0, 0, 0, _UTF8, None, None)
        )
        if failed or not chunks:
            raise UserError(
                f"espeak-ng cannot speak with its voice {voice!r}: reinstall it (pip install 'tfrec[tts]')."
            )
        return np.concatenate(chunks)

    try:
        library.espeak_SetSynthCallback(collect)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # of the breath noise; the clock seeds it otherwise
        yield speak, engine_hz
    finally:
        library.espeak_Terminate()
        # The phases of its oscillators outlive espeak_Terminate: only a newly loaded library speaks the same again.
        _unload(library)


def trim(waveform: np.ndarray) -> np.ndarray:
    """Cuts off the engine's own silence, whose length identifies the voice.

    Args:
        waveform: float32 `(samples,)`.

    Returns:
        The part between the first and the last sample above a hundredth of the peak.
    """
    loud = np.flatnonzero(np.abs(waveform) > _SILENCE_FRACTION * np.abs(waveform).max())
    return waveform[loud[0] : loud[-1] + 1]


def vary(waveform: np.ndarray, rate: int, generator: np.random.Generator) -> np.ndarray:
    """Sets a random peak (-12 to 0 dB of full scale) and puts up to 100 ms of silence on both sides.

    Args:
        waveform: float32 `(samples,)`.
        rate: Its sample rate in hertz.
        generator: Draws the peak, then the silence.

    Returns:
        float32 `(samples + silence,)`.
    """
    peak = 10 ** (generator.uniform(_QUIETEST_PEAK_DB, 0) / 20)
    before, after = generator.integers(0, rate // 10, 2)
    return np.pad(waveform * (peak / np.abs(waveform).max()), (before, after)).astype(np.float32)


def utter(
    engine: tuple[Speak, int],
    text: str,
    voice: str,
    rate: int,
    generator: np.random.Generator,
    low: tuple[int, int] = (120, 30),
    high: tuple[int, int] = (220, 71),
) -> np.ndarray:
    """Speaks a text at a random tempo and pitch, and varies it.

    Args:
        engine: What `engine` yields.
        text: What is spoken.
        voice: The engine's name of it.
        rate: Sample rate of the result in hertz.
        generator: Draws tempo and pitch, then what `vary` draws.
        low: The lowest tempo in words a minute, and the lowest pitch.
        high: One more than the highest of both.

    Returns:
        float32 `(samples,)`.
    """
    speak, engine_hz = engine
    words_per_minute, pitch = (int(value) for value in generator.integers(low, high))
    spoken = trim(speak(text, voice, words_per_minute, pitch))
    return vary(audio.resample_array(spoken, engine_hz, rate), rate, generator)


def _load() -> tuple[ctypes.CDLL, str]:
    """(the library, the folder of its data); UserError where it is not installed."""
    try:
        import espeakng_loader

        library, data_folder = ctypes.CDLL(espeakng_loader.get_library_path()), espeakng_loader.get_data_path()
    except (ImportError, OSError, RuntimeError) as error:
        raise UserError("Synthetic speech needs the espeak-ng engine: pip install 'tfrec[tts]'.") from error
    library.espeak_SetSynthCallback.argtypes = [_HANDLER]
    library.espeak_SetSynthCallback.restype = None
    library.espeak_Synth.argtypes = [
        *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
        *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
    ]
    return library, data_folder


def _unload(library: ctypes.CDLL) -> None:
    """Drops the library from the process."""
    handle = ctypes.c_void_p(library._handle)  # documented, in spite of its name
    if sys.platform == "win32":
        ctypes.windll.kernel32.FreeLibrary(handle)
    else:
        ctypes.CDLL(None).dlclose(handle)
