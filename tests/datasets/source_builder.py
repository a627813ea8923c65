"""Small image collections of every kind, made of packaged faces."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import lmdb
import numpy as np

from facskit.datasets.packed import packaged_faces
from facskit.faces.images import encode_jpeg, warp


@lru_cache(maxsize=1)
def _faces() -> list[bytes]:
    return packaged_faces().table["image_bytes"].head(120).to_list()


@lru_cache(maxsize=256)
def face(number: int, height: int = 96, width: int = 96, quality: int = 92) -> bytes:
    """A packaged face at another size, as JPEG."""
    from facskit.faces.images import decode_image

    matrix = np.array([[width / 128, 0, (width / 128 - 1) / 2], [0, height / 128, (height / 128 - 1) / 2]])
    return encode_jpeg(warp(decode_image(_faces()[number], str(number)), matrix, (width, height)), quality)


def write_folder(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path


def write_tar(path: Path, files: Mapping[str, bytes], link: str = "") -> Path:
    packing = {".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}.get(path.suffix, "w")
    with tarfile.open(path, packing) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
        if link:
            header = tarfile.TarInfo(link)
            header.type, header.linkname = tarfile.SYMTYPE, "elsewhere.jpg"
            archive.addfile(header)
    return path


def write_lmdb(path: Path, files: Mapping[bytes, bytes]) -> Path:
    with lmdb.open(str(path), map_size=2**26) as env, env.begin(write=True) as transaction:
        for key, value in files.items():
            transaction.put(key, value)
    return path


def faces_by_name(first: int, count: int) -> dict[str, bytes]:
    return {f"{number:03d}.jpg": face(number) for number in range(first, first + count)}
