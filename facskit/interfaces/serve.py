"""`facskit serve`: a page in the browser, for people who would rather drop a file than type a command."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

import tyro
from rich.console import Console

from facskit.errors import RecipeError
from facskit.inference.open_network import Backend, open_network
from facskit.inference.recognizer import Recognizer, RecognizerConfig
from facskit.page.limits import Limits

__all__ = ["ServeConfig", "main"]


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Open a page in the browser: photographs, videos and the webcam in; faces, bars, timeline and tables out.

    Only this computer can reach it unless --host says otherwise; whoever can reach it can use it. Uploads are looked at
    one after the other, and deleted.

    Examples:
      facskit serve
      facskit serve --port 8080 --weights runs/mine
      facskit serve --host 0.0.0.0 --names lab.example.org --limits.max-minutes 5
    """

    host: str = "127.0.0.1"
    """Address to listen at: 127.0.0.1, or ::1, for this computer alone, 0.0.0.0 for everybody who can reach it."""
    port: int = 8321
    """Port to listen at; 0 takes any that is free."""
    names: tuple[str, ...] = ()
    """Names by which others call this server, such as lab.example.org."""
    weights: str = "packaged"
    """Name of installed weights, or path of a weight file, of a finished run's folder or of an exported .onnx file."""
    device: str = "auto"
    """Where the network runs: auto, cpu, cuda, mps, or one of several such as cuda:1."""
    backend: Backend = "auto"
    """What runs the network: PyTorch, onnxruntime or OpenVINO, as for facskit recognize; attention maps need
    PyTorch."""
    limits: Limits = field(default_factory=Limits)
    """What is taken at most."""


def main(arguments: Sequence[str]) -> int:
    """Parse the command's words and serve until interrupted; return the exit code."""
    config = tyro.cli(ServeConfig, args=list(arguments), prog="facskit serve")
    try:
        import uvicorn

        from facskit.page.app import build_app
    except ImportError as error:
        raise RecipeError(
            f"facskit serve needs {error.name}, which isn't installed: pip install 'facskit[page]'"
        ) from error
    app = build_app(_open_recognizer(config), config.limits, _hosts(config))
    listener = uvicorn.Config(app, host=config.host, port=config.port, log_level="warning", server_header=False)
    try:
        socket = listener.bind_socket()
    except (OSError, SystemExit) as error:
        raise RecipeError(
            f"--host {config.host} --port {config.port}: can't listen there; is another server running?"
        ) from error
    console, port = Console(stderr=True, highlight=False, soft_wrap=True), socket.getsockname()[1]
    shown = "127.0.0.1" if config.host in {"0.0.0.0", "::"} else _in_address(config.host)
    console.print(f"facskit is at http://{shown}:{port} (Ctrl+C ends it)")
    if not _is_loopback(config.host):
        console.print("Everybody who can reach this computer can use it; there is no password.")
    uvicorn.Server(listener).run(sockets=[socket])
    return 0


def _open_recognizer(config: ServeConfig) -> Recognizer:
    network = open_network(config.weights, config.device, config.backend)
    return Recognizer(network, RecognizerConfig(attention=network.is_attentive))


def _hosts(config: ServeConfig) -> list[str]:
    names = ["localhost", "127.0.0.1", "::1", config.host, *config.names]
    return list(dict.fromkeys(map(_in_address, names)))


def _in_address(host: str) -> str:
    """Return a host as addresses have it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
