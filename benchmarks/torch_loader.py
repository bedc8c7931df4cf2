"""The peer of `benchmarks.input`: files to batches as a PyTorch user writes it, without this project."""

import numpy as np
import soundfile
import torch
from PIL import Image, ImageOps


class Clips(torch.utils.data.Dataset):
    """Log-mel (frames, mels) of a clip: soundfile, then torchaudio's recipe (torch.stft, power, mel matrix, log)."""

    def __init__(self, paths, sample_rate_hz, mels):
        self.paths = paths
        self.length, self.hop, self.fft = sample_rate_hz // 40, sample_rate_hz // 100, 512
        self.window = torch.hann_window(self.length)
        self.matrix = mel_matrix(sample_rate_hz, self.fft, mels)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        waveform = torch.from_numpy(soundfile.read(self.paths[index], dtype="float32")[0])
        # The window is in the middle of the FFT; with this padding frame 0 begins at sample 0.
        before = (self.fft - self.length) // 2
        waveform = torch.nn.functional.pad(waveform, (before, self.fft - self.length - before))
        spectrum = torch.stft(waveform, self.fft, self.hop, self.length, self.window, center=False, return_complex=True)
        return torch.log(torch.clamp(spectrum.abs().pow(2.0).T @ self.matrix, min=1e-10))


class Pictures(torch.utils.data.Dataset):
    """A picture (3, size, size), scaled and cropped about its center by Pillow, values in [0, 1]."""

    def __init__(self, paths, size):
        self.paths, self.size = paths, (size, size)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        with Image.open(self.paths[index]) as image:
            image = ImageOps.fit(image.convert("RGB"), self.size, Image.Resampling.BILINEAR)
        return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy()).float() / 255


def mel_matrix(sample_rate_hz, fft_length, mels):
    """Triangular filters on the HTK scale, peak 1, as of torchaudio's `melscale_fbanks`."""
    top = 2595 * np.log10(1 + sample_rate_hz / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, mels + 2) / 2595) - 1)
    bins = np.linspace(0, sample_rate_hz / 2, fft_length // 2 + 1)[:, None]
    rising, falling = (bins - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - bins) / np.diff(edges)[1:]
    return torch.tensor(np.maximum(0, np.minimum(rising, falling)), dtype=torch.float32)


def padded(examples):
    """Clips of different lengths to (batch, frames, mels) and their numbers of frames."""
    lengths = torch.tensor([len(example) for example in examples])
    return torch.nn.utils.rnn.pad_sequence(examples, batch_first=True), lengths


def loader(dataset, batch_size, workers):
    """A DataLoader with persistent workers."""
    collate = padded if isinstance(dataset, Clips) else None
    return torch.utils.data.DataLoader(
        dataset, batch_size, num_workers=workers, collate_fn=collate, persistent_workers=workers > 0
    )
