"""The names that `import facskit` gives, and what it leaves alone; benchmarks/import_time.py measures its time."""

import subprocess
import sys

import facskit


def test_the_public_names_are_a_sorted_list_and_all_exist() -> None:
    assert facskit.__all__ == sorted(facskit.__all__)
    assert all(getattr(facskit, name) is not None for name in facskit.__all__)


def test_importing_leaves_heavy_libraries_alone() -> None:
    script = (
        "import sys, facskit\n"
        "heavy = sorted({'torch', 'cv2', 'polars', 'onnxruntime', 'av', 'PIL'} & set(sys.modules))\n"
        "assert not heavy, f'imported {heavy}'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
