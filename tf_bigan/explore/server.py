"""Serves a page on this machine until Ctrl-C, without connections to others."""

from __future__ import annotations

import importlib.metadata
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from tf_bigan.errors import UserError
from tf_bigan.explore import markup
from tf_bigan.explore.reading import MAX_MEGABYTES
from tf_bigan.run.flags import Failure

if TYPE_CHECKING:
    import gradio as gr

_GRADIO = 6  # the major version that the pages are written for
_INSTALL = 'pip install --upgrade -e ".[explore]" in the clone of the repository'


def check(host: str, port: int) -> None:
    """Raises Failure without Gradio, and UserError if the address is not available."""
    try:
        version = importlib.metadata.version("gradio")
    except importlib.metadata.PackageNotFoundError:
        raise Failure(f"the page needs gradio: run {_INSTALL}") from None
    if int(version.partition(".")[0]) != _GRADIO:
        raise Failure(f"the page needs gradio {_GRADIO}, not {version}: run {_INSTALL}")
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UserError(
            f"cannot listen on {host}, port {port} ({error.strerror}): use another --port"
        ) from None


def run(build: Callable[[], gr.Blocks], host: str, port: int) -> None:
    """Builds a page, serves it until Ctrl-C or SIGTERM, and cleans up.

    Args:
        build: makes the page; must not import Gradio before it is called.
    """
    with tempfile.TemporaryDirectory(prefix="tf_bigan-") as uploads:
        # Gradio reads these when it is imported: no check for new versions, and a temporary
        # directory for uploads.
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
        os.environ["GRADIO_TEMP_DIR"] = uploads
        page, host = build(), in_url(host)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up as after Ctrl-C
        serve(page, host, port)
        print(f"open http://{host}:{port} in a browser; Ctrl-C stops it", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
        finally:
            page.close(verbose=False)


def in_url(host: str) -> str:
    """The host as in a URL: an IPv6 address is in brackets."""
    return f"[{host}]" if ":" in host else host


def serve(page: gr.Blocks, host: str, port: int) -> None:
    """Serves a page until `page.close()`."""
    from gradio.themes import Default

    page.launch(
        server_name=host,
        server_port=port,
        share=False,
        prevent_thread_lock=True,
        quiet=True,
        footer_links=[],
        run_history=False,
        max_file_size=f"{MAX_MEGABYTES}mb",
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        theme=Default(
            primary_hue="blue",
            font=("system-ui", "sans-serif"),
            font_mono=("ui-monospace", "monospace"),
        ),
        css=markup.CSS,
    )
