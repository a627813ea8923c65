"""Turn the panoramas of the npm package `@pmndrs/assets` (CC0, Poly Haven's) into the environments that ship.

```text
npm pack @pmndrs/assets@1.7.0
pip install OpenEXR                 # reads their DWAB compression; not needed to use what ships
python tools/package_environments.py pmndrs-assets-1.7.0.tgz
```
"""

import base64
import hashlib
import re
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import OpenEXR

from facskit.synthesis.environments import PACKAGED_ENVIRONMENTS, harmonics_of, irradiance_of

SHA256 = "152bd218a3390703f184f0c6ce16e73c8f0a87f32d38530d418a09d33d8208dc"
"""Of `pmndrs-assets-1.7.0.tgz`."""
BRIGHTEST = 50.0
"""Radiance, as a multiple of a panorama's mean, above which the sun is cut: its hard part is a lamp of its own."""


def main(archive: Path) -> None:
    """Read every `hdri/*.exr.js` of the package and write the asset."""
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{archive} has SHA-256 {found}, expected {SHA256}: npm pack @pmndrs/assets@1.7.0")
    names, irradiance = [], []
    with tarfile.open(archive) as files:
        for member in sorted(files.getnames()):
            match = re.fullmatch(r"package/hdri/(\w+)\.exr\.js", member)
            content = files.extractfile(member) if match else None
            if match and content is not None:
                names.append(match[1])
                irradiance.append(irradiance_of(harmonics_of(_panorama(content.read()))))
    PACKAGED_ENVIRONMENTS.parent.mkdir(parents=True, exist_ok=True)
    np.savez(PACKAGED_ENVIRONMENTS, names=np.array(names), irradiance=np.stack(irradiance).astype(np.float32))
    print(f"{PACKAGED_ENVIRONMENTS}: {len(names)} environments, {PACKAGED_ENVIRONMENTS.stat().st_size / 1e3:.0f} kB")


def _panorama(module: bytes) -> np.ndarray:
    """Return the linear light, rows x columns x RGB, of a JavaScript module that holds an OpenEXR file as base64."""
    text = re.search(rb"base64,([A-Za-z0-9+/=]+)", module)
    assert text is not None
    with tempfile.NamedTemporaryFile(suffix=".exr") as file:
        file.write(base64.b64decode(text[1]))
        file.flush()
        radiance = OpenEXR.File(file.name).channels()["RGB"].pixels.astype(np.float64)
    return np.minimum(radiance, BRIGHTEST * radiance.mean())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
