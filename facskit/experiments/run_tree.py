"""Tree of runs: what the folders of runs, cross-validations and stages are called, and what they keep.

```text
run/                                a run, or one point of a sweep, or a cross-validation:
  fold-1-seed-0/                      its runs, if it is not a run itself
  stages/fold-1-seed-0/imbalanced/    first-stage networks of causal intervention, each a run of its own
  epochs/epoch-003.safetensors        networks kept on the way; encoders/ in a pre-training
  weights.safetensors                 the result; encoder.safetensors of a pre-training
```
"""

import contextlib
from pathlib import Path

from facskit.errors import RecipeError
from facskit.experiments.pretraining_recipe import PretrainRecipe
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.objectives.config import StagedConfig

__all__ = ["STAGES", "find_stages", "is_pretraining", "kept_weights", "recipe_of", "run_name", "runs_in", "split_name"]

STAGES = "stages"
"""Name of the folder of stages in that of a run or cross-validation."""
_RUNS = "fold-*-seed-*"


def run_name(fold: int, seed: int) -> str:
    """Return what the folder of a run is called among those of other folds and seeds, such as `fold-1-seed-0`."""
    return f"fold-{fold}-seed-{seed}"


def runs_in(folder: Path) -> list[Path]:
    """Return the runs of a cross-validation or of a sweep's point, by name; a run itself has none."""
    return sorted(entry for entry in folder.glob(_RUNS) if entry.is_dir())


def recipe_of(folder: Path) -> Recipe | None:
    """Return the recipe of a run or cross-validation; None if there is none that this version can read."""
    with contextlib.suppress(RecipeError):
        return read_recipe(folder / "recipe.yaml")
    return None


def find_stages(path: Path) -> Path | None:
    """Return where the first stages of a run or cross-validation are: in it, beside it, or where its recipe says.

    Returns:
        The folder, in which stages lie under the names of runs; None if there are no stages.
    """
    if not path.is_dir():
        return None
    if (path / STAGES).is_dir():
        return path / STAGES
    beside = path.resolve().parent / STAGES
    if path.match(_RUNS) and (beside / path.name).is_dir():
        return beside
    recipe = recipe_of(path)
    if recipe is None or not isinstance(recipe.objective, StagedConfig) or not recipe.objective.stages:
        return None
    elsewhere = Path(recipe.objective.stages)
    return elsewhere if elsewhere.is_dir() else None


def is_pretraining(folder: Path) -> bool:
    """Tell whether a run is a pre-training, whose result is an encoder."""
    if (folder / "encoders").is_dir() or (folder / "encoder.safetensors").is_file():
        return True
    with contextlib.suppress(RecipeError):
        read_recipe(folder / "recipe.yaml", PretrainRecipe)
        return True
    return False


def kept_weights(folder: Path) -> dict[int, Path]:
    """Return the weight files that a run or a pre-training kept on the way, by rising epoch."""
    kept = [*folder.glob("epochs/epoch-*.safetensors"), *folder.glob("encoders/epoch-*.safetensors")]
    by_epoch = {int(path.stem.rpartition("-")[2]): path for path in kept}
    return dict(sorted(by_epoch.items()))


def split_name(word: str) -> tuple[str, str]:
    """Divide NAME=PATH, the form in which a command's words name what they point at.

    Args:
        word: The word; a path alone may have an equals sign in it, as the folders of sweeps do, if it's there or the
            sign stands behind a slash.

    Returns:
        Name and path; the name is empty if there is none.
    """
    name, sign, path = word.partition("=")
    if not sign or not name.strip() or "/" in name or Path(word).exists():
        return "", word
    return name.strip(), path
