"""A process that prepares a corpus, to be killed: `python -m tests.datasets.preparing_process INDEX OUT`."""

import pickle
import sys
from pathlib import Path

from facskit.datasets.preparation.config import PreparationConfig
from facskit.datasets.preparation.prepare import prepare

if __name__ == "__main__":
    prepare(pickle.loads(Path(sys.argv[1]).read_bytes()), PreparationConfig(workers=1), Path(sys.argv[2]))
