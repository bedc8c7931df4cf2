"""The page: widgets for what a model takes and answers."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipelines import paths
from pipelines.counts import counted
from pipelines.errors import UserError
from tfrec.demo import markup
from tfrec.demo.subject import Subject
from tfrec.serving import drawing

if TYPE_CHECKING:
    from tfrec.tasks.base import Answer

TOP = 5  # classes that are shown
CACHE_S = 3600  # after which files that people sent are deleted
MAX_LIVE_S = 300  # of one recording
# An answer never waits for an explanation of another.
QUEUES = {
    name: {"concurrency_id": name, "concurrency_limit": limit, "api_visibility": "private"}
    for name, limit in (("answer", 1), ("explain", 1), ("live", 4))
}
INVITATIONS = {"image": "drop a picture", "audio": "record or drop a clip"}
LEGENDS = {
    "classes": "Red speaks for the answer, blue against it.",
    "texts": "Red frames made the word, blue ones speak against it.",
    "pairs": "The regions of the most similar picture that each stretch of the speech points to.",
}


def build(gr: Any, subject: Subject) -> Any:
    """Builds the page.

    Args:
        gr: The module gradio.
        subject: What it shows.

    Returns:
        A `gradio.Blocks`.
    """
    with gr.Blocks(title=f"tfrec: {subject.name}", analytics_enabled=False, delete_cache=(600, CACHE_S)) as page:
        gr.Markdown(f"# {paths.shown(subject.name)}\n{_summary(subject)}", elem_id="title")
        status = gr.Markdown("Loading.", elem_id="status")
        with gr.Row():
            with gr.Column(scale=4):
                sources = _Sources(gr, subject)
            with gr.Column(scale=5):
                answers = _Answers(gr, subject)
        for read, widgets in sources.readers:
            answers.follow(read, widgets)
        if sources.live is not None:
            _connect_live(gr, subject, sources.live)
        page.load(lambda: _status(subject), None, status, show_progress="hidden", api_visibility="private")
    return page


def _summary(subject: Subject) -> str:
    """What the model does, in a sentence."""
    what = {"texts": "transcribes clips", "numbers": "answers a number", "pairs": "finds pictures by speech"}
    if subject.kind in what:
        return f"This model {what[subject.kind]}."
    takes = " and ".join({"image": "pictures", "audio": "clips"}[part] for part in subject.parts)
    return f"This model recognizes {counted(len(subject.labels), 'class', 'classes')} of {takes}."


def _status(subject: Subject) -> str:
    invitations = ["draw"] if subject.style else []
    invitations += [INVITATIONS[part] for part in subject.parts]
    return f"Ready: {', or '.join(invitations)}. {subject.no_reason}"


class _Sources:
    """The widgets by which people give something.

    Attributes:
        readers: Functions from the values of widgets to the files that the model takes, None for nothing, and the
            widgets of each.
        live: Microphone and words of what is recognized while it is said; None where it has none.
    """

    def __init__(self, gr: Any, subject: Subject) -> None:
        self._gr, self._subject = gr, subject
        self.readers: list[tuple[Callable[..., dict[str, str] | None], list[Any]]] = []
        self.live: tuple[Any, Any] | None = None
        if subject.style is not None:
            with gr.Tab("Draw"):
                self._add_canvas(subject.style)
            with gr.Tab("Picture"):
                self._add(["image"])
        elif subject.live is not None:
            with gr.Tab("Clip"):
                self._add(["audio"])
            with gr.Tab("Live"):
                microphone = gr.Audio(
                    sources=["microphone"],
                    streaming=True,
                    type="numpy",
                    label="Speak",
                    elem_id="microphone",
                    buttons=[],
                )
                self.live = microphone, gr.HTML(markup.words(()), elem_id="live-words")
        elif subject.kind == "pairs":
            with gr.Tab("Speech"):
                self._add(["audio"])
            with gr.Tab("Picture"):
                self._add(["image"])
        else:
            self._add(list(subject.parts))

    def _add(self, parts: list[str]) -> None:
        """Widgets of pictures and clips that are answered together."""
        gr = self._gr
        makers = {
            "image": lambda: gr.Image(
                sources=["upload", "webcam", "clipboard"],
                image_mode=None,
                type="filepath",
                label="Picture",
                elem_id="picture",
                height=320,
                buttons=[],
            ),
            "audio": lambda: gr.Audio(
                sources=["upload", "microphone"],
                type="filepath",
                label="Clip",
                elem_id="clip",
                editable=False,
                buttons=[],
            ),
        }
        widgets = [makers[part]() for part in parts]
        self.readers.append((functools.partial(_files, parts), widgets))

    def _add_canvas(self, style: drawing.DrawingStyle) -> None:
        def read(strokes: Any) -> dict[str, str] | None:
            pixels = style.picture(drawing.ink_of(strokes, style.brush))
            return None if pixels is None else {"image": self._subject.write_picture(pixels)}

        share = style.brush / drawing.CANVAS
        canvas = self._gr.HTML(
            [],
            html_template=markup.CANVAS,
            js_on_load=markup.DRAW,
            brush=share,
            elem_id="canvas",
            apply_default_css=False,
        )
        self.readers.append((read, [canvas]))


def _files(parts: list[str], *values: str | None) -> dict[str, str] | None:
    """The files of widgets; None where all are empty."""
    files = {part: value for part, value in zip(parts, values, strict=True) if value is not None}
    return files or None


class _Answers:
    """The widgets that show answers."""

    def __init__(self, gr: Any, subject: Subject) -> None:
        self._gr, self._subject = gr, subject
        self._why: list[Any] = []
        self._button: Any = None  # where explanations are not made unasked
        if subject.kind == "classes":
            self._answer = gr.Label(num_top_classes=TOP, label="Answer", elem_id="answer")
        elif subject.kind == "pairs":
            gr.Markdown("### Most similar pictures")
            self._answer = gr.Gallery(
                show_label=False, columns=3, height=560, elem_id="answer", interactive=False, buttons=[]
            )
        else:
            self._answer = gr.HTML("", label="Answer", elem_id="answer", container=True, show_label=True)
        self._note = gr.Markdown("", elem_id="note")
        if subject.no_reason:
            return
        gr.Markdown(f"### Why\n{LEGENDS[subject.kind]}")
        if subject.kind == "texts":  # takes seconds for each word
            self._button = gr.Button("Explain the words", elem_id="explain")
        self._why = [gr.Image(show_label=False, interactive=False, elem_id="why", buttons=["fullscreen"])]
        if subject.kind == "classes" and subject.parts == ("audio",):
            with gr.Row():
                self._why += [gr.Audio(label=label, buttons=["download"]) for label in ("What mattered", "The rest")]

    def follow(self, read: Callable[..., dict[str, str] | None], widgets: list[Any]) -> None:
        """Answers whenever the value of one of some widgets changes, and explains the answer after it."""

        def answer(*values: Any) -> tuple[Any, str]:
            files = read(*values)
            return (None, "") if files is None else self._shown(files)

        def explain(*values: Any) -> Any:
            files = read(*values)
            why = None if files is None else self._subject.explain(files)
            found = list(why)[: len(self._why)] if why else [None] * len(self._why)
            return found if len(found) > 1 else found[0]

        shown, failing = [self._answer, self._note], functools.partial(_with_errors, self._gr)
        for widget in widgets:
            changed = widget.input if isinstance(widget, self._gr.HTML) else widget.change
            answered = changed(failing(answer), widgets, shown, show_progress="hidden", **QUEUES["answer"])
            if self._why and self._button is None:
                answered.success(failing(explain), widgets, self._why, **QUEUES["explain"])
        if self._button is not None:
            self._button.click(failing(explain), widgets, self._why, **QUEUES["explain"])

    def _shown(self, files: dict[str, str]) -> tuple[Any, str]:
        """An answer as its widget takes it, and a note on it."""
        if self._subject.kind == "pairs":
            found = self._subject.search(files)
            return [(self._subject.pixels(path), _caption(path, similarity)) for path, similarity in found], ""
        answer = self._subject.answer(files)
        values = answer.to_dict()
        if self._subject.kind == "classes":
            note = "" if values["accepted"] else "**Not accepted**: too unsure, or a class that is to be rejected."
            return values["probabilities"], note
        return _html(answer, self._subject.kind), ""


def _html(answer: Answer, kind: str) -> str:
    if kind == "numbers":
        return markup.number(answer.plain())
    known = answer.timed_words()
    return markup.words(known or (), "" if known else answer.plain(), "No words were recognized.")


def _caption(path: str, similarity: float) -> str:
    return f"{paths.shown(os.path.basename(path))}  {similarity:.3f}"


def _connect_live(gr: Any, subject: Subject, widgets: tuple[Any, Any]) -> None:
    """Shows words while they are said."""
    (microphone, shown), live = widgets, subject.live
    assert live is not None

    def feed(piece: tuple[int, Any] | None, request: gr.Request) -> Any:
        return gr.skip() if piece is None else markup.words(*live.feed(str(request.session_hash), *piece))

    def end(request: gr.Request) -> Any:
        found = live.end(str(request.session_hash))
        return gr.skip() if found is None else markup.words(*found)

    # A type that is not at the top of a module is unknown to gradio as a text.
    feed.__annotations__["request"] = end.__annotations__["request"] = gr.Request
    hidden = {"show_progress": "hidden", **QUEUES["live"]}
    microphone.stream(_with_errors(gr, feed), microphone, shown, stream_every=0.5, time_limit=MAX_LIVE_S, **hidden)
    microphone.stop_recording(_with_errors(gr, end), None, shown, **hidden)


def _with_errors(gr: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose UserErrors are shown on the page."""

    @functools.wraps(function)
    def wrapped(*values: Any) -> Any:
        try:
            return function(*values)
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return wrapped
