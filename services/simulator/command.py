"""``guanxi simulate``: simulated ports, as a real HTTP service."""

import contextlib
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from services.simulator.app import Simulator
from services.simulator.journal import Journal
from shared.commandline import CommandFailed, console, sentences
from shared.port.contracts import PORTS

app = typer.Typer()


@app.command("simulate")
def simulate(
    ports: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PORT]...",
            help=f"Which ports: {', '.join(port.name for port in PORTS)}. All without it.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8590,
    data: Annotated[
        Path, typer.Option("--data", help="Directory of the journals, a file for each port.")
    ] = Path("var/simulator"),
    attended: Annotated[
        bool, typer.Option("--attended", help="End when standard input is closed.")
    ] = False,
) -> None:
    """Serve simulated ports until Ctrl-C, each under its own path, with faults that can be switched on."""
    with sentences(), contextlib.ExitStack() as stack:
        known = {each.name: each for each in PORTS}
        served = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        for name in ports or known:
            if name not in known:
                raise CommandFailed(f"There is no port {name!r}: there are {', '.join(known)}.")
            journal = stack.enter_context(Journal(data / f"{name}.jsonl"))
            served.mount(f"/{name}", Simulator(known[name], journal).app)
            console.print(f"http://{host}:{port}/{name}", highlight=False)
        config = uvicorn.Config(
            served, host=host, port=port, log_level="warning", access_log=False, ws="none"
        )
        server = uvicorn.Server(config)
        if attended:
            threading.Thread(target=_end_with_starter, args=(server,), daemon=True).start()
        server.run()


def _end_with_starter(server: uvicorn.Server) -> None:
    while sys.stdin.read(1):
        pass
    server.should_exit = True


if __name__ == "__main__":
    app()
