import random

import numpy as np
import pytest
import torch

from facskit.errors import RecipeError
from facskit.training.runtime import (
    RuntimeConfig,
    random_states,
    restore_random_states,
    seed_everything,
    start_runtime,
)


def _draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002 - the generators seeded here


def test_seeds_repeat_and_ranks_differ() -> None:
    seed_everything(4)
    first = _draw()
    seed_everything(4)
    assert _draw() == first
    seed_everything(4, rank=1)
    other = _draw()
    seed_everything(5)
    assert len({first, other, _draw()}) == 3


def test_random_states_are_restored_through_a_safe_file() -> None:
    import io

    seed_everything(1)
    np.random.randn()  # noqa: NPY002 - leaves half of a pair behind in NumPy's generator
    random.gauss(0, 1)
    file = io.BytesIO()
    torch.save(random_states(), file)
    expected = [_draw(), float(np.random.randn()), random.gauss(0, 1)]  # noqa: NPY002
    seed_everything(2)
    file.seek(0)
    restore_random_states(torch.load(file, weights_only=True))
    assert [_draw(), float(np.random.randn()), random.gauss(0, 1)] == expected  # noqa: NPY002


def test_masks_drawn_on_apple_silicon_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[torch.Tensor] = []
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: torch.arange(4))
    monkeypatch.setattr(torch.mps, "set_rng_state", given.append)
    states = random_states()
    restore_random_states(states)
    assert [state.tolist() for state in given] == [[0, 1, 2, 3]]
    restore_random_states({name: state for name, state in states.items() if name != "mps"})
    assert len(given) == 1


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_starts_on_the_processor_without_noise(precision: str, capfd: pytest.CaptureFixture[str]) -> None:
    fabric = start_runtime(RuntimeConfig(device="cpu", precision=precision))  # type: ignore[arg-type]
    assert fabric.device.type == "cpu"
    assert fabric.world_size == 1
    assert capfd.readouterr() == ("", "")


def test_missing_hardware_is_one_sentence() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(RecipeError, match=r"runtime.device: this machine has no 'cuda'; it has cpu"):
        start_runtime(RuntimeConfig(device="cuda"))


def test_fp16_needs_a_gpu() -> None:
    with pytest.raises(RecipeError, match="runtime.precision: 'fp16' needs a GPU; on a CPU use '32' or 'bf16'"):
        start_runtime(RuntimeConfig(device="cpu", precision="fp16"))


@pytest.mark.parametrize(
    ("field", "message"), [("devices", "devices must be at least 1, got 0"), ("seed", "seed must")]
)
def test_bad_counts_are_named(field: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RuntimeConfig(**{field: 0 if field == "devices" else -1})  # type: ignore[arg-type]


def test_threads_and_determinism_are_set() -> None:
    threads = torch.get_num_threads()
    try:
        start_runtime(RuntimeConfig(device="cpu", threads=1, deterministic=True))
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads)
