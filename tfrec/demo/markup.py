"""Pieces of HTML of the page."""

from __future__ import annotations

import html
from collections.abc import Sequence

from tfrec.decoding.words import Word

CSS = """
.gradio-container { width: 100% !important; max-width: 1100px !important; margin: 0 auto !important; }
.tfrec-words { line-height: 2.6; min-height: 3.2rem; }
.tfrec-words span { display: inline-block; margin: 0 .3rem .3rem 0; padding: .15rem .55rem; border-radius: .5rem;
  background: color-mix(in srgb, var(--primary-500) 16%, transparent); line-height: 1.35; font-size: 1.1rem; }
.tfrec-words small { display: block; font-size: .72rem; opacity: .65; }
.tfrec-words i { opacity: .6; font-size: 1.1rem; }
.tfrec-drawing canvas { width: 100%; max-width: 380px; aspect-ratio: 1; display: block; margin: 0 auto;
  background: white; border: 1px solid var(--border-color-primary); border-radius: .6rem; touch-action: none;
  cursor: crosshair; }
.tfrec-drawing div { text-align: center; margin-top: .6rem; }
.tfrec-drawing button { padding: .25rem 1.1rem; margin: 0 .25rem; border-radius: .5rem; font-size: .95rem;
  border: 1px solid var(--border-color-primary); background: var(--button-secondary-background-fill); }
.tfrec-number { font-size: 2.4rem; font-weight: 600; }
footer { display: none !important; }
"""

# A canvas whose value are its strokes, lists of points [x, y] in the unit square.
CANVAS = """<div class="tfrec-drawing"><canvas width="560" height="560"></canvas>
<div><button type="button">Undo</button><button type="button">Clear</button></div></div>"""
DRAW = """
const canvas = element.querySelector('canvas'), pen = canvas.getContext('2d');
const [undo, clear] = element.querySelectorAll('button');
let strokes = [], stroke = null;
const place = (event) => {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
};
const paint = () => {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.lineWidth = props.brush * canvas.width;
  pen.lineCap = pen.lineJoin = 'round';
  for (const points of strokes) {
    pen.beginPath();
    pen.moveTo(points[0][0] * canvas.width, points[0][1] * canvas.height);
    for (const [x, y] of points) pen.lineTo(x * canvas.width, y * canvas.height);
    pen.stroke();
  }
};
const send = () => { paint(); props.value = structuredClone(strokes); trigger('input'); };
canvas.onpointerdown = (event) => {
  canvas.setPointerCapture(event.pointerId);
  strokes.push(stroke = [place(event)]);
  paint();
};
canvas.onpointermove = (event) => { if (stroke) { stroke.push(place(event)); paint(); } };
canvas.onpointerup = canvas.onpointercancel = () => { if (stroke) { stroke = null; send(); } };
undo.onclick = () => { strokes.pop(); send(); };
clear.onclick = () => { strokes = []; send(); };
"""


def words(known: Sequence[Word], rest: str = "", empty: str = "No words yet.") -> str:
    """Words, with their times and confidences below them, and text that may continue."""
    parts = []
    for word in known:
        notes = [] if word.start_s is None else [f"{word.start_s:.2f} to {word.end_s:.2f} s"]
        notes += [] if word.confidence is None else [f"{word.confidence:.0%}"]
        parts.append(f"<span>{html.escape(word.word)}<small>{', '.join(notes)}</small></span>")
    if rest:
        parts.append(f"<i>{html.escape(rest)}</i>")
    return f'<div class="tfrec-words">{"".join(parts) or f"<i>{html.escape(empty)}</i>"}</div>'


def number(value: str) -> str:
    """A single number."""
    return f'<div class="tfrec-number">{html.escape(value)}</div>'
