from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facskit.action_units import ActionUnitSet
from facskit.datasets.manifest import Manifest, write_manifest
from facskit.datasets.packed import packaged_faces
from facskit.errors import CheckpointError, DatasetError, RecipeError
from facskit.experiments.analysis.attention_check import (
    check_attention,
    choose_rows,
    default_spread,
    open_faces,
    taught_spread,
)
from facskit.experiments.recipe_files import format_recipe, read_recipe
from facskit.faces.alignment import Similarity49Crop
from facskit.faces.images import read_image, write_image
from facskit.interfaces.attention import main
from facskit.interfaces.recognize import main as recognize
from facskit.models.attention_network import AttentionConfig
from facskit.models.build import build_model
from facskit.models.checkpoints import CheckpointInfo, load_checkpoint, save_checkpoint
from facskit.models.compact_network import CompactConfig
from facskit.models.layers import AttentiveNetwork
from facskit.objectives.causal_intervention import CausalInterventionConfig

UNITS = ActionUnitSet.parse("AU01,AU12,AU14")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = AttentionConfig(image_size=64, unit_width=1, branch_widths=(4, 4, 4, 4, 4))
    path = tmp_path_factory.mktemp("weights") / "attention.safetensors"
    save_checkpoint(path, build_model(config, len(UNITS)), described(config))
    return path


def described(model: AttentionConfig | CompactConfig) -> CheckpointInfo:
    crop = Similarity49Crop(size=64, aligned=72)
    return CheckpointInfo(
        model=model, action_units=UNITS, crop=crop, normalization="per-image", thresholds=(0.5,) * 3, licence="CC0-1.0"
    )


def some_faces(count: int = 40) -> Manifest:
    faces = packaged_faces()
    return replace(faces, table=faces.table.head(count), action_units=ActionUnitSet.parse("AU01,AU12"))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faces") / "manifest.parquet"
    write_manifest(replace(some_faces(), root=path.parent), path)
    return path


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    source = next(Path("facskit/assets/photographs").glob("*collins*"))
    path = tmp_path / "photos" / "astronaut.jpg"
    write_image(path, read_image(source))
    return path


def test_a_manifest_gets_numbers_and_pictures(
    weights: Path, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(weights), str(manifest), "-o", str(tmp_path / "out"), "--faces", "2"]) == 0
    assert "Mass inside %" in capsys.readouterr().out
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written[:2] == ["attention.md", "attention.png"]
    assert len(written) == 4
    report = (tmp_path / "out/attention.md").read_text(encoding="utf-8")
    assert "| AU14     | Dimpler" in report  # without labels, but with a rule where it shows
    assert "1.09 map cells" in report


def test_photographs_get_a_picture_per_face(weights: Path, photograph: Path, tmp_path: Path) -> None:
    out = photograph.parent / "maps"
    for _ in range(2):  # the second time the first pictures aren't searched for faces
        assert main([str(weights), str(photograph.parent), "-o", str(out)]) == 0
        assert [path.name for path in out.iterdir()] == ["astronaut_face0_attention.png"]
    same = tmp_path / "again"
    assert recognize([str(photograph), "--weights", str(weights), "--attention", str(same)]) == 0
    assert (same / "astronaut_face0_attention.png").read_bytes() == (out / "astronaut_face0_attention.png").read_bytes()


def test_recognition_refuses_to_mix_its_pictures_with_its_inputs(weights: Path, photograph: Path) -> None:
    words = [str(photograph.parent), "--weights", str(weights), "--attention", str(photograph.parent)]
    with pytest.raises(RecipeError, match="found an input, expected another folder for the attention maps"):
        recognize(words)


def test_numbers_are_of_the_crops_the_network_sees(weights: Path) -> None:
    model, info = load_checkpoint(weights)
    assert isinstance(model, AttentiveNetwork)
    faces = some_faces()
    check = check_attention(model, info, faces, rows=[3, 17], batch_size=16)
    assert check.scores.num_faces[1] == 40
    assert check.spread == pytest.approx(default_spread(16)) == pytest.approx(3 * 16 / 44)
    first, second = check.faces
    assert (first.name, second.name) == (faces.image_name(3), faces.image_name(17))
    assert first.labels.tolist() == [*faces.labels[3].tolist(), -1]
    corners = np.argwhere(first.targets[1] > 0.99)
    assert len(corners) == 2
    assert abs(corners[0, 0] - corners[1, 0]) <= 3  # corners of the mouth are about level ...
    assert corners.mean(axis=0)[0] > 8  # ... and in the lower half of the crop


def test_the_spread_is_the_one_that_was_taught(weights: Path, manifest: Path, tmp_path: Path) -> None:
    assert taught_spread(weights) is None
    run = tmp_path / "weights.safetensors"
    run.write_bytes(weights.read_bytes())
    recipe = read_recipe(Path("recipes/debug/ciu_one_minute.yaml"))
    assert isinstance(recipe.objective, CausalInterventionConfig)
    attention = replace(recipe.objective.attention, spread=1.75)
    taught = replace(recipe, objective=replace(recipe.objective, attention=attention))
    (tmp_path / "recipe.yaml").write_text(format_recipe(taught), encoding="utf-8")
    assert taught_spread(run) == 1.75
    assert main([str(run), str(manifest), "-o", str(tmp_path / "out"), "--faces", "0"]) == 0
    assert "1.75 map cells" in (tmp_path / "out/attention.md").read_text(encoding="utf-8")


def test_faces_to_draw_are_of_different_people() -> None:
    faces = some_faces(120)
    rows = choose_rows(faces, 3)
    assert len({faces.subjects[row] for row in rows}) == 3
    present = (faces.labels == 1).sum(axis=1)
    for row in rows:
        assert present[row] == present[faces.subject_indices == faces.subject_indices[row]].max()
    assert choose_rows(faces, 0) == []


def test_mistakes_are_one_sentence(weights: Path, manifest: Path, tmp_path: Path) -> None:
    compact = tmp_path / "compact.safetensors"
    config = CompactConfig(image_size=64)
    save_checkpoint(compact, build_model(config, len(UNITS)), described(config))
    out = ["-o", str(tmp_path / "out")]
    for source in (str(manifest), "facskit/assets/photographs"):
        with pytest.raises(CheckpointError, match="these weights have no attention maps: found a network of kind"):
            main([str(compact), source, *out])
    assert not (tmp_path / "out").exists()
    with pytest.raises(RecipeError, match="found no input, expected a photograph, a folder or a manifest"):
        main([str(weights), *out])
    with pytest.raises(RecipeError, match="--spread is 0, expected more than 0 map cells"):
        main([str(weights), str(manifest), *out, "--spread", "0"])
    with pytest.raises(RecipeError, match="--faces is -1, expected at least 0"):
        main([str(weights), str(manifest), *out, "--faces", "-1"])
    bare = tmp_path / "bare.parquet"
    faces = some_faces()
    table = faces.table.drop([name for name in faces.table.columns if name.startswith(("x_", "y_"))])
    write_manifest(replace(faces, table=table, root=tmp_path), bare)
    with pytest.raises(DatasetError, match="found no landmarks, expected x_0..x_67 and y_0..y_67"):
        open_faces(str(bare))
