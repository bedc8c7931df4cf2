"""The server of the page: at this machine alone, with bounded uploads, and without a word to any other machine."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from typing import Any

from pipelines.errors import UserError
from tfrec.demo import _compat, markup, page
from tfrec.demo.subject import Subject

MAX_WAITING = 32  # requests
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Ubuntu", "sans-serif")
# What a browser may load and connect to: the page's own server.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:;"
    " connect-src 'self' data: blob:; frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)


@contextlib.contextmanager
def serve(subject: Subject, host: str = "127.0.0.1", port: int = 7860, max_upload_mb: int = 20) -> Iterator[str]:
    """Serves the page inside a context, after the model has answered once.

    Args:
        subject: What the page shows.
        host: Address to listen at.
        port: 0 is a free one.
        max_upload_mb: Of a file that people send.

    Yields:
        The address of the page.

    Raises:
        UserError: gradio is not installed, or the port is taken.
    """
    port = _free(host, port)
    with tempfile.TemporaryDirectory(prefix="tfrec-uploads-") as uploads:
        gr = _compat.load(uploads)
        built = page.build(gr, subject)
        built.queue(max_size=MAX_WAITING, api_open=False)
        subject.warm_up()
        theme = gr.themes.Soft(font=FONTS, font_mono=("ui-monospace", "monospace"))
        try:
            built.launch(
                server_name=host,
                server_port=port,
                share=False,
                inbrowser=False,
                quiet=True,
                prevent_thread_lock=True,
                show_error=True,
                footer_links=[],
                run_history=False,
                allowed_paths=[],
                max_file_size=max_upload_mb << 20,
                max_threads=8,
                state_session_capacity=100,
                enable_monitoring=False,
                ssr_mode=False,
                pwa=False,
                mcp_server=False,
                strict_cors=True,
                theme=theme,
                css=markup.CSS,
                app_kwargs={"middleware": [_policy()], "docs_url": None, "redoc_url": None, "openapi_url": None},
            )
            yield f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        finally:
            built.close(verbose=False)


def _free(host: str, port: int) -> int:
    """The port, or a free one for 0; UserError where it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise UserError(f"The page cannot listen at {host}, port {port}: {reason}; give another --port.") from error
        return int(probe.getsockname()[1])


def _policy() -> Any:
    """A middleware that adds POLICY to what is answered."""
    from starlette.middleware import Middleware

    class ContentPolicy:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def send_with_policy(message: Any) -> None:
                if message["type"] == "http.response.start":
                    headers = [
                        (b"content-security-policy", POLICY.encode()),
                        (b"referrer-policy", b"no-referrer"),
                        (b"x-content-type-options", b"nosniff"),
                    ]
                    message = {**message, "headers": [*message.get("headers", ()), *headers]}
                await send(message)

            await self.app(scope, receive, send_with_policy if scope["type"] == "http" else send)

    return Middleware(ContentPolicy)
