"""Training beside other programs: steps a second with none, one and two of them, for each way threads may wait.

`python -m benchmarks.busy_machine` trains the transformer of recipes/packaged/fmae_iat_tiny.yaml on random images, in a
process per setting, since OpenMP reads its settings once. A *burner* is a single-threaded endless loop; it has the
training's priority unless `--burner-nice` says otherwise.

The *fair share* is measured, not computed: as many processes as the training has threads, of one thread each, train
beside the same burners. They wait for nobody, so their rate is what the machine has left. Each setting's rate is
printed with its ratio to theirs of the same round. All settings take turns, for a few seconds each, so that whatever
else runs on the machine meets them all.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict

SETTINGS: dict[str, tuple[str, dict[str, str]]] = {
    "as OpenMP comes": ("torch", {}),
    "facskit": ("facskit", {}),
    "asleep at once": ("torch", {"OMP_WAIT_POLICY": "passive"}),
    "one thread": ("facskit", {"OMP_NUM_THREADS": "1"}),
}
"""What a training imports first, and its environment; facskit changes nothing once PyTorch is imported."""
INDEPENDENT = "independent"
"""Name of the processes of one thread each that show the fair share."""


def serve(precision: str) -> None:
    """Train for as many seconds as each line of the input says, and answer with the steps a second."""
    import torch  # noqa: PLC0415 - whoever starts this has chosen what is imported first

    from facskit.models.vision_transformer import VisionTransformer, ViTConfig  # noqa: PLC0415

    torch.manual_seed(0)
    model = VisionTransformer(ViTConfig(image_size=112, dim=192, depth=6, heads=3, drop_path=0.0), 8)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    images, labels = torch.randn(16, 3, 112, 112), torch.randint(0, 2, (16, 8)).float()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(model(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()

    step()
    print("ready", flush=True)
    for line in sys.stdin:
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < float(line):
            step()
            steps += 1
        print(steps / (time.perf_counter() - start), flush=True)


class Trainings:
    """Processes that train with one setting when they are asked to."""

    def __init__(self, setting: tuple[str, dict[str, str]], count: int, precision: str) -> None:
        first, environment = setting
        others = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
        code = f"import {first}; from benchmarks.busy_machine import serve; serve({precision!r})"
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-c", code],
                env=others | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(count)
        ]

    def answers(self) -> list[str]:
        """Wait for a line of each process."""
        return [process.stdout.readline().strip() for process in self.processes if process.stdout]

    def rate(self, seconds: float) -> float:
        """Return the steps a second of all processes together."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
        return sum(map(float, self.answers()))

    def end(self) -> None:
        """End the processes."""
        for process in self.processes:
            process.kill()
            process.wait()


def main() -> None:
    """Print one line per setting and number of burners."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=("32", "bf16"), default="32")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of a measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--burners", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--burner-nice", type=int, default=0, help="how much less important the burners are, 0 to 19")
    options = parser.parse_args()
    threads = os.cpu_count() or 1
    rates: dict[tuple[str, int], list[float]] = defaultdict(list)
    burner = ["nice", "-n", str(options.burner_nice), sys.executable, "-c", "while True: pass"]
    trainings = {name: Trainings(setting, 1, options.precision) for name, setting in SETTINGS.items()}
    trainings[INDEPENDENT] = Trainings(SETTINGS["one thread"], threads, options.precision)
    for training in trainings.values():
        training.answers()  # all are ready before the first is measured
    for _ in range(options.rounds):
        for burners in options.burners:
            beside = [subprocess.Popen(burner) for _ in range(burners)]
            for name, training in trainings.items():
                rates[name, burners].append(training.rate(options.seconds))
            for process in beside:
                process.kill()
                process.wait()
    for training in trainings.values():
        training.end()

    print(f"steps a second in precision {options.precision}: median (least to most), ratio to {INDEPENDENT}")
    for burners in options.burners:
        for name in trainings:
            found, fair = rates[name, burners], rates[INDEPENDENT, burners]
            ratios = [rate / share for rate, share in zip(found, fair, strict=True)]
            print(
                f"{burners} burners  {name:18}  {statistics.median(found):6.2f} ({min(found):.2f} to {max(found):.2f})"
                f"  {statistics.median(ratios):5.0%} ({min(ratios):.0%} to {max(ratios):.0%})"
            )


if __name__ == "__main__":
    main()
