"""espeak-ng's formant synthesizer, which comes with the extra `tts`: text to waveforms in many voices."""

import _ctypes
import contextlib
import ctypes
import os
import threading

import numpy as np

from pipelines.errors import UserError

LOCK = threading.Lock()  # to be held around `engine`, whose state is global

# From espeak-ng's speak_lib.h.
_SYNCHRONOUS, _DONT_EXIT, _UTF8, _RATE, _PITCH = 2, 0x8000, 1, 1, 3


@contextlib.contextmanager
def engine():
    """(speak(text, voice, words per minute, pitch) -> float32 samples, their rate), for as long as it lasts."""
    try:
        import espeakng_loader

        library = ctypes.CDLL(espeakng_loader.get_library_path())
        home = espeakng_loader.get_data_path()
    except (ImportError, OSError, RuntimeError) as error:
        raise UserError("Synthetic speech needs the espeak-ng engine: pip install 'tfrec[tts]'.") from error
    handler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    library.espeak_SetSynthCallback.argtypes = [handler]
    library.espeak_SetSynthCallback.restype = None
    library.espeak_Synth.argtypes = [
        *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
        *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
    ]
    chunks = []

    @handler
    def collect(samples, count, _):
        if samples and count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).astype(np.float32) / 32768)
        return 0

    engine_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(home), _DONT_EXIT)
    if engine_hz <= 0:
        raise UserError(f"espeak-ng cannot start from {home}: its data must lie there, at a path below 160 characters.")

    def speak(text, voice, words_per_minute, pitch):
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
        # The phases of its oscillators outlive espeak_Terminate: only a library loaded anew speaks the same again.
        unload = getattr(_ctypes, "dlclose", None) or _ctypes.FreeLibrary
        unload(library._handle)


def trimmed(waveform):
    """Without the engine's own silence, whose length tells the voice."""
    loud = np.flatnonzero(np.abs(waveform) > 0.01 * np.abs(waveform).max())
    return waveform[loud[0] : loud[-1] + 1]


def varied(waveform, rate, generator):
    """At a random loudness (-12 to 0 dB below full scale at its peak), with up to 100 ms of silence on both sides."""
    peak = 10 ** (generator.uniform(-12, 0) / 20)
    before, after = generator.integers(0, rate // 10, 2)
    return np.pad(waveform * (peak / np.abs(waveform).max()), (before, after)).astype(np.float32)
