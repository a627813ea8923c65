"""What `import facskit` gives, and how little it costs."""

import subprocess
import sys

import facskit


def test_the_public_names_are_a_sorted_list_and_all_exist() -> None:
    assert facskit.__all__ == sorted(facskit.__all__)
    assert all(getattr(facskit, name) is not None for name in facskit.__all__)


def test_importing_is_quick_and_leaves_heavy_libraries_alone() -> None:
    script = (
        "import sys, time; start = time.perf_counter(); import facskit; seconds = time.perf_counter() - start\n"
        "heavy = sorted({'torch', 'cv2', 'polars', 'onnxruntime', 'av', 'PIL'} & set(sys.modules))\n"
        "assert not heavy, f'imported {heavy}'\n"
        "assert seconds < 1.0, f'took {seconds:.2f} s'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
