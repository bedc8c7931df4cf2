"""Many trainings at once: comparisons of models, and the registry of studies."""

from tfrec.studies import groups, labels, multimodal, noise, speakers, transcription, transfer
from tfrec.studies.study import Study

STUDIES: dict[str, Study] = {
    "groups": groups,
    "labels": labels,
    "multimodal": multimodal,
    "noise": noise,
    "speakers": speakers,
    "transcription": transcription,
    "transfer": transfer,
}
