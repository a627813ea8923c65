"""A process that prepares the small corpus, to be killed: `python -m tests.datasets.preparing_process ROOT OUT`."""

import sys
from pathlib import Path

from facskit.datasets.preparation import prepare
from facskit.datasets.preparation_config import PreparationConfig
from tests.datasets.preparation_corpus import small_corpus

if __name__ == "__main__":
    prepare(small_corpus(Path(sys.argv[1])), PreparationConfig(workers=1), Path(sys.argv[2]))
