"""The command line: `tfrec COMMAND` and `python -m tfrec COMMAND`."""

import sys
from collections.abc import Sequence

from pipelines.errors import UserError, unknown
from tfrec.utils import startup

COMMANDS = {
    "fit": "train a recognizer, measure it on the test split, and export it",
    "launch": "train with several processes on this machine, or as one of several machines",
    "evaluate": "measure a run on a split, with plots",
    "predict": "label or transcribe files with a run or an export",
    "export": "export a run as the next version for TensorFlow Serving",
    "serve": "answer as TensorFlow Serving does, for development, or write the files to deploy it",
    "client": "send files to a server, and print its answers",
    "list": "list architectures, datasets, experiments and layers",
    "show": "draw examples with and without augmentation",
    "check": "check the data of a training before it starts",
    "prepare": "write pictures or clips into shards: few large files in the place of many",
    "compare": "train several architectures within one time budget, and report",
    "study": "run a study of many trainings, and print its tables",
    "listen": "recognize words in continuous sound",
    "noise_report": "measure a run on speech in noise",
    "corruption_report": "measure a run on corrupted pictures",
    "explain": "show which parts of files made a run answer what it answers",
    "search": "find pictures by speech, speech by pictures",
    "demo": "try a run or an export on a local web page",
    "lm": "build an n-gram language model from transcripts",
}
WITH_EXPERIMENT = ("fit", "show", "check", "prepare", "compare")  # commands whose first argument may name an experiment


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command and exits with its status; answers without importing Keras where it can."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        sys.exit(0 if words else 2)
    if "--version" in words[: words.index("--") if "--" in words else None]:
        from tfrec import __version__

        print(f"tfrec {__version__}")
        sys.exit(0)
    if error := _mistake(*words):
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    is_check = words[0] == "export" and not {"-h", "--help"} & set(words)
    if is_check and any(word.partition("=")[0] == "--check" for word in words):
        from tfrec.serving.lint import report

        report.run_command(words[1:])
    if words[0] == "launch":
        from tfrec.training.distributed import launcher

        launcher.run_command(words[1:])
    startup.run_command(f"tfrec.commands.{_module(words[0])}", words[1:])


def _mistake(command: str, *words: str) -> UserError | None:
    """The error for an unknown command or experiment."""
    if _module(command) not in COMMANDS:
        return unknown("command", command, COMMANDS)
    if _module(command) not in WITH_EXPERIMENT or "-h" in words or "--help" in words:
        return None
    from tfrec.config import experiments

    try:
        experiment, _ = experiments.split_words(words)
    except UserError as error:
        return error
    if experiment is None or experiment in experiments.EXPERIMENTS:
        return None
    return unknown("experiment", experiment, experiments.EXPERIMENTS)


def _module(command: str) -> str:
    return command.replace("-", "_")


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items()]
    return "\n".join(
        ["usage: tfrec COMMAND [ARGUMENTS]", "", "commands:", *lines, "", "tfrec COMMAND --help lists its flags."]
    )


if __name__ == "__main__":
    main()
