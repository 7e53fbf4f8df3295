"""Starts llama.cpp's own HTTP server on a GGUF file and serves until it is ended.

    python -m tests.llama_server FILE WINDOW [--jinja] --host 127.0.0.1 --port PORT

xllamacpp brings it compiled, as a library.
"""

from __future__ import annotations

import argparse
import threading


def serve() -> None:
    """Serve the file that the command line names."""
    import xllamacpp

    arguments = argparse.ArgumentParser()
    arguments.add_argument("file")
    arguments.add_argument("window", type=int)
    arguments.add_argument("--host")
    arguments.add_argument("--port", type=int)
    arguments.add_argument("--jinja", action="store_true", help="render chats with the file's own template")
    given = arguments.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = given.file
    params.hostnames = [given.host]
    params.port = given.port
    params.n_ctx = given.window
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.use_jinja = given.jinja
    params.warmup = False
    server = xllamacpp.Server(params)
    threading.Event().wait()
    del server


if __name__ == "__main__":
    serve()
