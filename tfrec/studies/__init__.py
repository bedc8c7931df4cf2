"""The registry of studies."""

from tfrec.studies import noise, speakers, transcription, transfer

# Many trainings that differ in one thing: modules with `Options`, the dataclass of a study's flags,
# `steps(options, flags of every training, folder of the runs)` and `tables(folder, steps)`; some `draw(folder, steps)`.
STUDIES = {"noise": noise, "speakers": speakers, "transcription": transcription, "transfer": transfer}
