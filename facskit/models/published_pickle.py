"""A reader of the PyTorch files that others publish, which runs nothing in them.

A `.pth` file is a pickle in a zip archive, and a pickle can call any function. Here only tensors, plain containers and
inert stand-ins for two harmless classes come out; everything else ends the reading. The archive is checked before: all
entries uncompressed and with the right checksum, which PyTorch itself doesn't look at. Files from before PyTorch 1.6
are pickles without an archive; they are read under the same rules, but have no checksums.
"""

import hashlib
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from facskit.errors import CheckpointError

__all__ = ["PublishedFile", "is_torch_file", "read_published"]

_OLD_MAGIC = bytes.fromhex("6cfc9c46f9206aa85019")
"""The number at the start of files that PyTorch wrote before 1.6."""
_PICKLE = b"\x80"
"""First byte of every pickle of protocol 2 and above."""

_PARTS = {"model", "optimizer", "epoch", "scaler", "args"}
"""What the authors' training code saves; only `model`, `epoch` and the plain values in `args` are looked at."""
_PREFIX = "module."
"""What distributed training puts before each parameter's name."""
_FLOATS = {torch.float32, torch.float16, torch.bfloat16}
_FORBIDDEN = re.compile(r"GLOBAL ([\w.]+)")


@dataclass(frozen=True, kw_only=True, eq=False)
class PublishedFile:
    """What of a published file is used."""

    path: Path
    """The file."""
    sha256: str
    """Its checksum, as hexadecimal digits."""
    tensors: Mapping[str, Tensor]
    """Parameters, possibly still on the disk, checked to be dense and of floating point."""
    epoch: int | None = None
    """Number of the epoch, counted from 0, if the file says."""
    arguments: Mapping[str, str] | None = None
    """The plain values among the training command's arguments, as texts."""
    ignored: tuple[str, ...] = ()
    """Parts of the file that were not looked at, like the optimiser's state."""


class _Inert:
    """Stands for a class of the published files; keeps what it's given and does nothing."""

    state: object = None
    """What the file gives it; on the class, since a pickle can make an object without calling its `__init__`."""

    def __new__(cls, *_: object) -> "_Inert":
        return super().__new__(cls)

    def __init__(self, *parts: object) -> None:
        self.parts = parts

    def __setstate__(self, state: object) -> None:
        self.state = state


class _InertNamespace(_Inert):
    pass


class _InertPath(_Inert):
    pass


_PATHS = ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath")
_ALLOWED: list[Any] = [
    (_InertNamespace, "argparse.Namespace"),
    *((_InertPath, f"{module}.{name}") for module in ("pathlib", "pathlib._local") for name in _PATHS),
]
"""The only globals beside PyTorch's own tensor parts, and what takes their place."""


def read_published(path: Path) -> PublishedFile:
    """Read a `.pth` file of the published training code, a bare state dict, or a safetensors file.

    Returns:
        Its parameters, without the `module.` of distributed training, and what it says about their training.

    Raises:
        CheckpointError: The file is missing, damaged, asks for anything but tensors and plain values, or holds no
            parameters.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file; expected published weights (.pth or .safetensors)")
    if is_torch_file(path):
        content = _unpickle(path)
        if not isinstance(content, dict):
            raise CheckpointError(f"{path} holds a {type(content).__name__}; expected a dictionary of parameters")
        content = dict(dict.items(content))  # a pickle can hide methods behind attributes of its own
        content = content if "model" in content else {"model": content}
    else:
        content = {"model": _read_safetensors(path)}
    if unknown := sorted(_shown(str(part)) for part in content.keys() - _PARTS):
        raise CheckpointError(f"{path} holds the unknown part {unknown[0]!r}; expected {', '.join(sorted(_PARTS))}")
    epoch = content.get("epoch")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return PublishedFile(
        path=path,
        sha256=digest,
        tensors=_tensors(path, content["model"]),
        epoch=epoch if type(epoch) is int else None,
        arguments=_arguments(content.get("args")),
        ignored=tuple(part for part in ("optimizer", "scaler") if part in content),
    )


def is_torch_file(path: Path) -> bool:
    """Tell whether PyTorch wrote a file, or something else that is a zip archive; nothing of it is opened."""
    return zipfile.is_zipfile(path) or _OLD_MAGIC in _start(path)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(32)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            ours = "facskit" in (file.metadata() or {})
        if ours:  # reading it as somebody else's would drop what it says about licence, outputs and training
            raise CheckpointError(f"{path} is a weight file of facskit already; use it as it is")
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        if _start(path).startswith(_PICKLE):
            raise CheckpointError(
                f"{path} is a plain pickle, which can run code when opened, so it was left alone; whoever trusts it "
                "can store its parameters with safetensors.torch.save_file and import that file"
            ) from error
        raise CheckpointError(f"{path} is damaged, or neither a PyTorch nor a safetensors file ({error})") from error


def _check_archive(path: Path) -> None:
    """Refuse archives that are compressed, larger inside than outside, damaged, or programs."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise CheckpointError(f"{path} is a compressed archive, which PyTorch never writes")
            if sum(entry.file_size for entry in entries) > path.stat().st_size:
                raise CheckpointError(f"{path} is damaged: its parts are larger than the file")
            names = {entry.filename.rpartition("/")[2] for entry in entries}
            if "data.pkl" not in names or "constants.pkl" in names:
                raise CheckpointError(f"{path} is no file of PyTorch weights, but another archive or a program")
            damaged = archive.testzip()
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: its archive can't be read ({error})") from error
    if damaged is not None:
        raise CheckpointError(f"{path} is damaged: its part {damaged} doesn't match its checksum")


def _unpickle(path: Path) -> object:
    if zipfile.is_zipfile(path):
        _check_archive(path)
    others = torch.serialization.get_safe_globals()  # nothing that other code in this process allowed
    torch.serialization.clear_safe_globals()
    try:
        with torch.serialization.safe_globals(_ALLOWED):
            return torch.load(str(path), map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        asked = _FORBIDDEN.search(str(error))
        if asked is None:
            raise CheckpointError(f"{path} is damaged: it's no list of weights as PyTorch writes it") from error
        raise CheckpointError(
            f"{path} was refused: it asks for {asked[1]}, which could run code; nothing was run"
        ) from error
    except Exception as error:  # hostile bytes can end in any error
        reason = str(error).strip().split("\n", maxsplit=1)[0] or type(error).__name__
        raise CheckpointError(f"{path} is damaged: its weights can't be read ({reason})") from error
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(others)


def _tensors(path: Path, state: object) -> dict[str, Tensor]:
    if not isinstance(state, dict) or not state:
        raise CheckpointError(f"{path} holds no parameters; expected a dictionary from names to tensors")
    tensors: dict[str, Tensor] = {}
    for key, value in dict.items(state):
        name = str(key)
        if type(key) is not str or type(value) not in {Tensor, nn.Parameter} or value.__dict__:
            raise CheckpointError(f"{path} holds {_shown(name)} as {type(value).__name__}; expected a named tensor")
        if _shown(name) != name:
            raise CheckpointError(f"{path} holds a parameter called {_shown(name)}; expected a plain name")
        name = name.removeprefix(_PREFIX)
        if name in tensors:
            raise CheckpointError(f"{path} holds {name} twice, with and without {_PREFIX!r}")
        if value.layout != torch.strided or value.device.type != "cpu" or not value.is_contiguous():
            raise CheckpointError(f"{path} holds {name} in an unusual layout; expected a dense tensor")
        if value.dtype not in _FLOATS:
            found = str(value.dtype).removeprefix("torch.")
            raise CheckpointError(f"{path} holds {name} as {found}; expected float32, float16 or bfloat16")
        tensors[name] = value.detach()
    return tensors


def _shown(name: str) -> str:
    """Return a name that may be printed: no control characters, and not miles long."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:100])


def _arguments(namespace: object) -> dict[str, str] | None:
    state = namespace.state if isinstance(namespace, _InertNamespace) else namespace
    if not isinstance(state, dict):
        return None
    plain = {}
    for name, value in dict.items(state):
        if type(name) is str and type(value) in {str, int, float, bool}:
            text = str(value)
            # A text with a slash is a path on somebody's computer, which is nobody else's business.
            if len(text) < 100 and (name + text).isprintable() and not set(text) & set("/\\"):
                plain[name] = text
    return dict(sorted(plain.items()))
