"""Experiments on pictures and speech together."""

from pipelines import datasets, frontends
from tfrec.architectures.image import cnn
from tfrec.architectures.multimodal import av_fusion, dual_encoder
from tfrec.config.experiments.speech import NEW_SPEAKERS
from tfrec.config.schema import AnyConfig, Config, FitConfig
from tfrec.tasks import classification, retrieval


def digit_pairs() -> AnyConfig:
    """Two CNNs that put handwritten and spoken digits into one space, trained on pairs alone.

    The augmentation of the clips is that of `spoken_digit_speakers`, without its noises.

    Command: `python -m tfrec.fit digit_pairs`; with a speaker left out
    `python -m tfrec.fit digit_pairs --data.split speaker --data.test_speakers george`.
    Cost: 1,200 steps; 12 minutes on two busy CPU cores, commit c273863.
    Score, right digit at 1, mean of seeds 0, 1, 2: speech to image among 1,000 test images 100 % of 250 clips, image to
    speech among 250 test clips 99.8 % of 1,000 images. With a speaker left out, seed 0, 500 clips: george 85.6 and
    98.8 %, nicolas 85.0 and 89.8, theo 96.8 and 99.4, yweweler 83.2 and 98.3, mean 87.7 and 96.6.
    """
    return Config(
        data=datasets.digit_pairs.Config(name="digit_pairs", train_images=51_200),  # 400 batches
        frontend=frontends.PairedConfig(
            image=frontends.ImageConfig(rotation_degrees=10.0, scale=(0.9, 1.1), shift_fraction=0.08),
            speech=NEW_SPEAKERS,
        ),
        model=dual_encoder.Config(
            name="dual_encoder",
            image=cnn.Config(name="cnn", width=24, depth=3),
            speech=cnn.Config(name="cnn", width=24, depth=4, convolutions=1, time_pools=3, frame_units=128),
            dropout=0.2,
        ),
        task=retrieval.Config(),
        fit=FitConfig(
            epochs=3, batch_size=128, learning_rate=3e-3, weight_decay=1e-2, warmup_epochs=0.25, average=0.99
        ),
    )


def digit_fusion() -> AnyConfig:
    """One classifier of handwritten and spoken digits together, trained with noise in the clips and on the pictures.

    Half of the training examples lose one input, so that the network answers with either alone. `spoken_digit_noise`
    defines the noises of the training, and sets A and B.

    Command: `python -m tfrec.fit digit_fusion --frontend.speech.noise_path NOISES/`, then
    `python -m tfrec noise_report runs/digit_fusion --noise NOISES/`.
    Cost: 1.6 minutes an epoch on two CPU cores, commit 558fe1c.
    Score, seed 0, 1,000 test pairs, mean over all noises: clean 100 %; at 0 dB 90.9 % by the clip alone; with a blurred
    picture, 93.8 % by itself, both give 98.8 %, 0.19 times the errors of the picture (95 % interval 0.13 to 0.27); with
    a quarter of it covered, 78.4 %, both give 97.8 %; with half of it covered, 35.8 %, both give 92.8 %.
    """
    return Config(
        data=datasets.digit_pairs.Config(name="digit_pairs", train_images=12_800),  # 200 batches
        frontend=frontends.PairedConfig(
            image=frontends.ImageConfig(
                normalize="unit",
                rotation_degrees=10.0,
                scale=(0.9, 1.1),
                shift_fraction=0.08,
                contrast=0.3,
                erase_probability=0.6,
                erase_area=(0.02, 0.7),  # a picture may show next to nothing, and then the gate has to trust the clip
                erase_fill="color",
            ),
            speech=frontends.SpeechConfig(
                normalize="none",
                range_db=50.0,
                tract=(0.95, 1.05),
                gain_db=6.0,
                shift_ms=20.0,
                noise_types=("crowd", "machine", "traffic"),
                noise_fraction=0.65,
                noise_probability=0.9,
                snr_db=(-5.0, 15.0),
            ),
        ),
        model=av_fusion.Config(
            name="av_fusion",
            image=cnn.Config(name="cnn", width=16, depth=3, convolutions=1),
            speech=cnn.Config(name="cnn", width=12, depth=4, convolutions=1),
            units=64,
            modality_dropout=0.5,
        ),
        task=classification.Config(label_smoothing=0.05),
        fit=FitConfig(epochs=5, batch_size=64, learning_rate=4e-3, weight_decay=1e-2, warmup_epochs=0.5, average=0.99),
    )
