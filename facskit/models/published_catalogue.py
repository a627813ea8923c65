"""The weight files that FMAE-IAT's and MAE's authors released: what they are, where they lie, what to know first.

facskit downloads none of them. The facts come from the authors' README and the threads of their repository; nobody
published checksums, and BP4D+ weights were never released.
"""

from dataclasses import dataclass

__all__ = ["CATALOGUE", "CataloguedFile"]

_REPOSITORY = "https://github.com/forever208/FMAE-IAT"
_MAE = "https://dl.fbaipublicfiles.com/mae"
_HUGGING_FACE = "https://huggingface.co/forever208/FMAE-IAT"
_PRETRAINING = (
    "Pre-trained on 9 million faces of celebrities and the web. Whether images of AffectNet or DISFA were among them "
    "isn't stated, so scores there may be too good. Some of the sources were withdrawn by their makers."
)
_RERUN = "A re-run by the authors: the weights behind the paper's table were never saved."


@dataclass(frozen=True, kw_only=True)
class CataloguedFile:
    """A file that somebody published."""

    name: str
    """What facskit calls it once it's imported."""
    what: str
    """Network, training data and outputs."""
    where: str
    """Address to download it from, by hand."""
    options: str = ""
    """Options of `facskit weights import` that it needs or deserves."""
    notes: str = ""
    """What to know before using it."""
    licence: str = "CC-BY-NC-4.0"
    """Licence of the weights."""


def _drive(file_id: str) -> str:
    return f"https://drive.google.com/file/d/{file_id}/view"


def _pretrained(letter: str, size: str, file_id: str) -> CataloguedFile:
    return CataloguedFile(
        name=f"fmae-vit-{size}",
        what=f"ViT-{letter} masked autoencoder of Face9M, a start for training; recognises nothing",
        where=f"{_drive(file_id)} (also FMAE_ViT_{size}.pth at {_HUGGING_FACE})",
        notes=_PRETRAINING,
    )


def _of_imagenet(letter: str, size: str) -> CataloguedFile:
    return CataloguedFile(
        name=f"mae-vit-{size}",
        what=f"ViT-{letter} encoder of a masked autoencoder of ImageNet-1K, a start for training; recognises nothing",
        where=f"{_MAE}/pretrain/mae_pretrain_vit_{size}.pth",
        notes="By MAE's authors: what FMAE is compared with in the paper's figure 2.",
    )


def _bp4d(fold: int, file_id: str) -> CataloguedFile:
    return CataloguedFile(
        name=f"fmae-iat-bp4d-fold{fold}",
        what=f"ViT-L, 12 action units of BP4D, trained with identity adversarial training, fold {fold}",
        where=_drive(file_id),
        options=f"--dataset bp4d --fold {fold}",
        notes=f"{_RERUN} {_PRETRAINING}",
    )


CATALOGUE: tuple[CataloguedFile, ...] = (
    _pretrained("L", "large", "1xccb4O5cXeq2zO5_Ec1Ybz-VLO4PAwRr"),
    _pretrained("B", "base", "1uCdJq4xQAbYQHTVpcflrnK8OPavJ8Fz7"),
    _pretrained("S", "small", "1p1hJd9ks3U6tg3N1rlEmDyuUNXoRbATJ"),
    _of_imagenet("L", "large"),
    _of_imagenet("B", "base"),
    _bp4d(1, "1w5Gad9YKBJMgdyQ4Ax49WatAzZ7vgrKy"),
    _bp4d(2, "1aIY73NFEW0fObVIE6dh06CIi6HfH6T9u"),
    _bp4d(3, "1DzP1HrIOOxSYPhrffrRaFrCKeYkWpiPx"),
    CataloguedFile(
        name="fmae-iat-disfa",
        what="ViT-L, 8 action units of DISFA, three folds (2025-06)",
        where=f"linked in issue 7 of {_REPOSITORY}",
        options="--dataset disfa",
        notes=f"A user measured fold 3 far below the paper (issue 8, open). {_PRETRAINING}",
    ),
    CataloguedFile(
        name="fmae-raf-db",
        what="ViT-L, 7 expressions of RAF-DB (2025-04)",
        where=f"linked in issue 5 of {_REPOSITORY}",
        options="--dataset raf-db",
        notes=f"{_RERUN} Its epoch was chosen on RAF-DB's test images.",
    ),
    CataloguedFile(
        name="fmae-affectnet-8",
        what="ViT-L, 8 expressions of AffectNet (2025-04)",
        where=f"linked in issue 5 of {_REPOSITORY}",
        options="--dataset affectnet",
        notes=f"{_RERUN} Its epoch was chosen on AffectNet's validation images, which papers score. {_PRETRAINING}",
    ),
)
"""Every released file that's known."""
