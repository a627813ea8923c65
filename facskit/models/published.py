"""The import of files that the authors of FMAE-IAT released, or MAE's, into facskit's own weight files.

Nothing in a released file is run (see `published_pickle`), every parameter is accounted for (see `published_layout`),
and an output gets a name only where the file or the caller says which data set it was trained on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from facskit.action_units import BP4D, BP4D_PLUS, DISFA_8, NO_ACTION_UNITS, ActionUnitSet
from facskit.errors import CheckpointError
from facskit.expressions import AFFECTNET_7, AFFECTNET_8, RAF_DB, ExpressionSet
from facskit.faces.alignment import BoxCrop
from facskit.models.build import build_model
from facskit.models.checkpoints import CheckpointInfo, EncoderInfo
from facskit.models.layers import FaceNetwork
from facskit.models.masked_autoencoder import AutoencoderConfig, MaskedAutoencoder
from facskit.models.positions import resize_positions
from facskit.models.published_layout import PublishedLayout, read_layout
from facskit.models.published_pickle import PublishedFile, read_published
from facskit.models.vision_transformer import SIZES, ViTConfig

__all__ = ["LICENCE", "ImportConfig", "ImportedWeights", "PublishedDataset", "import_published"]

PublishedDataset = Literal["bp4d", "bp4d-plus", "disfa", "raf-db", "affectnet"]
"""What a published file can have been fine-tuned on."""
LICENCE = "CC-BY-NC-4.0"
"""Licence of the authors' repository and weights: not for commercial use."""

_SPELLED: Mapping[str, str] = MappingProxyType(
    {"bp4d": "BP4D", "bp4d-plus": "BP4D+", "disfa": "DISFA", "raf-db": "RAF-DB", "affectnet": "AffectNet"}
)
_BY_IDENTITIES: Mapping[int, PublishedDataset] = MappingProxyType({41: "bp4d", 140: "bp4d-plus", 27: "disfa"})
"""Subjects of each corpus: the outputs of an identity head."""
_MEANINGS: Mapping[PublishedDataset, Mapping[int, ActionUnitSet | ExpressionSet]] = MappingProxyType(
    {
        "bp4d": {12: BP4D},
        "bp4d-plus": {12: BP4D_PLUS},
        "disfa": {8: DISFA_8},
        "raf-db": {7: RAF_DB},
        "affectnet": {7: AFFECTNET_7, 8: AFFECTNET_8},
    }
)
_AMBIGUOUS: Mapping[int, str] = MappingProxyType(
    {
        12: "12 outputs are BP4D's or BP4D+'s action units; give --dataset bp4d or bp4d-plus",
        8: "8 outputs are DISFA's action units or AffectNet's expressions; give --dataset disfa or affectnet",
        7: "7 outputs are RAF-DB's or AffectNet's expressions, in other orders; give --dataset raf-db or affectnet",
    }
)
_UNTRAINED = 1e-4
"""Spread of a classifier's weights below which it looks as drawn (the authors start at 2e-5), not trained."""


@dataclass(frozen=True, kw_only=True)
class ImportConfig:
    """What a published file doesn't say about itself."""

    dataset: PublishedDataset | None = None
    """What the classifier was trained on; needed where neither an identity head nor a second head tells."""
    image_size: int | None = None
    """Side of the crop in pixels; position embeddings are interpolated to it. The file's own when left out."""
    heads: int | None = None
    """Attention heads; only for a network of a size that nobody published, whose shapes don't tell."""
    decoder_heads: int = 16
    """Attention heads of a pre-training file's decoder."""

    def __post_init__(self) -> None:
        """Check every limit."""
        if self.dataset is not None and self.dataset not in get_args(PublishedDataset):
            raise ValueError(f"dataset must be one of {', '.join(_SPELLED)}, got {self.dataset!r}")
        for name in ("image_size", "heads", "decoder_heads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")


@dataclass(frozen=True, kw_only=True, eq=False)
class ImportedWeights:
    """A published file as facskit's own model and description, ready for `save_checkpoint`."""

    model: FaceNetwork | MaskedAutoencoder
    """The network with the file's weights, on the processor and in evaluation mode."""
    info: CheckpointInfo | EncoderInfo
    """What goes into the weight file beside them."""
    layout: PublishedLayout
    """What the parameters told."""
    dataset: PublishedDataset | None
    """What the classifier was trained on; None for an autoencoder."""
    warnings: tuple[str, ...]
    """What a user of these weights should know, one sentence each."""

    @property
    def size(self) -> str:
        """The network's size in words: `ViT-L`, or that nobody published it."""
        return f"ViT-{self.layout.size}" if self.layout.size else "ViT of no published size"

    def trained_on(self, subjects: Iterable[str]) -> "ImportedWeights":
        """Return the same weights, with the names of the people they were trained on in the provenance."""
        provenance = {**self.info.provenance, "training_subjects": sorted(subjects)}
        return replace(self, info=replace(self.info, provenance=provenance))


def import_published(path: Path, config: ImportConfig | None = None) -> ImportedWeights:
    """Read a published file: a fine-tuned one becomes a recogniser, a pre-training one an autoencoder.

    Args:
        path: A `.pth` file of the published code, a bare state dict, or a safetensors file with the same parameters.

    Raises:
        CheckpointError: The file is damaged, asks for code to be run, has a parameter too many or too few or one that
            isn't finite, has no trained head though a data set was named, or its outputs can't be named for certain.
    """
    config = config or ImportConfig()
    file = read_published(path)
    layout = read_layout(str(path), {name: tuple(tensor.shape) for name, tensor in file.tensors.items()})
    layout = replace(layout, encoder=_with_heads(path, layout, config.heads))
    for name, tensor in file.tensors.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path} holds a value in {name} that is not finite, so it's damaged or went astray")
    if layout.kind == "autoencoder":
        return _import_autoencoder(file, layout, config)
    return _import_recognizer(file, layout, config)


def _import_autoencoder(file: PublishedFile, layout: PublishedLayout, config: ImportConfig) -> ImportedWeights:
    if config.dataset is not None:
        raise CheckpointError(
            f"{file.path} has no trained head, so it recognises nothing of {_SPELLED[config.dataset]}: it's a "
            "pre-trained autoencoder; import it without --dataset, as a start for training"
        )
    encoder = _resized(file.path, layout.encoder, config.image_size)
    try:
        shape = AutoencoderConfig(
            encoder=encoder,
            decoder_dim=layout.decoder_dim,
            decoder_depth=layout.decoder_depth,
            decoder_heads=config.decoder_heads if layout.decoder_depth else 0,
        )
    except ValueError as error:
        raise CheckpointError(f"{file.path} holds no autoencoder that can be built: {error}") from error
    with torch.device("meta"):
        model = MaskedAutoencoder(shape)
    _fill(model, file.tensors, encoder.grid)
    info = EncoderInfo(
        model=shape, normalization="imagenet", licence=LICENCE, provenance=_provenance(file, layout, config, None)
    )
    warnings: tuple[str, ...] = ()
    if not layout.decoder_depth:
        warnings = (
            "the decoder isn't in the file: fine-tuning and probes can start from it, pre-training can't go on from it",
            f"the file doesn't say who published it and what it was trained on; MAE's own weights are {LICENCE} too",
        )
    return ImportedWeights(model=model, info=info, layout=layout, dataset=None, warnings=warnings)


def _import_recognizer(file: PublishedFile, layout: PublishedLayout, config: ImportConfig) -> ImportedWeights:
    dataset = _dataset(file.path, layout, config.dataset)
    meaning = _MEANINGS[dataset].get(layout.outputs)
    if meaning is None:
        wanted = " or ".join(str(outputs) for outputs in _MEANINGS[dataset])
        raise CheckpointError(
            f"{file.path} has a classifier with {layout.outputs} outputs; expected {wanted} for {_SPELLED[dataset]}"
        )
    shape = _resized(file.path, layout.encoder, config.image_size)
    with torch.device("meta"):
        model = build_model(shape, layout.outputs)
    renamed = {}
    for name, tensor in file.tensors.items():
        if name not in layout.dropped:
            renamed[name.replace(f"{layout.classifier}.", "head.")] = tensor
    _fill(model, renamed, shape.grid)
    units = meaning if isinstance(meaning, ActionUnitSet) else NO_ACTION_UNITS
    info = CheckpointInfo(
        model=shape,
        action_units=units,
        expressions=None if isinstance(meaning, ActionUnitSet) else meaning,
        crop=BoxCrop(size=shape.image_size, margin=0.05, stretch=True),
        normalization="imagenet",
        thresholds=(0.5,) * len(units),
        licence=LICENCE,
        provenance=_provenance(file, layout, config, dataset),
    )
    warnings = _warnings(model, dataset)
    return ImportedWeights(model=model, info=info, layout=layout, dataset=dataset, warnings=warnings)


def _dataset(path: Path, layout: PublishedLayout, given: PublishedDataset | None) -> PublishedDataset:
    told = _BY_IDENTITIES.get(layout.identities)
    if layout.outputs == 7 and "head.weight" in layout.dropped:  # untouched, beside the trained head
        told = "raf-db"
    if given is not None and told is not None and given != told:
        what = "unused second head" if told == "raf-db" else f"identity head with {layout.identities} outputs"
        raise CheckpointError(f"{path} was trained on {_SPELLED[told]}, as its {what} tells, not on {_SPELLED[given]}")
    chosen = given or told
    if chosen is not None:
        return chosen
    reason = _AMBIGUOUS.get(layout.outputs, f"{layout.outputs} outputs are none of 12, 8 and 7, which were published")
    raise CheckpointError(f"{path} doesn't say what its classifier was trained on: {reason}")


def _with_heads(path: Path, layout: PublishedLayout, heads: int | None) -> ViTConfig:
    encoder = layout.encoder
    if layout.size:
        if heads not in {None, encoder.heads}:
            raise CheckpointError(f"{path} is a ViT-{layout.size}, which has {encoder.heads} heads, not {heads}")
        return encoder
    if heads is None:
        sizes = ", ".join(f"{size} {SIZES[size].dim} x {SIZES[size].depth}" for size in "SBLH")
        raise CheckpointError(
            f"{path} holds a network of width {encoder.dim} and depth {encoder.depth}, which nobody published "
            f"({sizes}); give --heads, which its shapes don't tell, to import it all the same"
        )
    try:
        return replace(encoder, heads=heads)
    except ValueError as error:
        raise CheckpointError(f"{path} can't have {heads} heads: {error}") from error


def _resized(path: Path, encoder: ViTConfig, image_size: int | None) -> ViTConfig:
    try:
        return encoder if image_size is None else replace(encoder, image_size=image_size)
    except ValueError as error:
        raise CheckpointError(f"{path} can't be brought to {image_size} px: {error}") from error


@torch.no_grad()
def _fill(model: nn.Module, tensors: Mapping[str, Tensor], grid: int) -> None:
    """Give a model without memory the weights, one at a time, so that no second copy of all is needed."""
    model.to_empty(device="cpu").eval()
    for name, own in model.state_dict().items():
        stored = tensors[name]
        own.copy_(resize_positions(stored.float(), grid) if name.endswith("pos_embed") else stored)


def _provenance(
    file: PublishedFile, layout: PublishedLayout, config: ImportConfig, dataset: PublishedDataset | None
) -> dict[str, Any]:
    dropped = dict.fromkeys(name.partition(".")[0] for name in layout.dropped)  # whole layers, each once
    source = "published by the authors of FMAE-IAT (arXiv 2407.11243)"
    if layout.kind == "autoencoder" and not layout.decoder_depth:
        source = "a masked autoencoder's encoder alone, in the form that MAE (arXiv 2111.06377) publishes"
    entries: dict[str, Any] = {
        "source": f"{source}, imported by facskit",
        "published_file": file.path.name,
        "sha256": file.sha256,
        "size": layout.size or "unnamed",
        "dropped": [*dropped, *file.ignored],
    }
    if file.epoch is not None:
        entries["published_epoch"] = file.epoch
    if file.arguments:
        entries["published_arguments"] = dict(file.arguments)
    if config.image_size not in {None, layout.encoder.image_size}:
        entries["positions_resized_from"] = layout.encoder.image_size
    if dataset is not None:
        entries |= {"corpus": _SPELLED[dataset], "identities": layout.identities}
        entries["training_subjects"] = f"unknown: the file doesn't say which of {_SPELLED[dataset]} it was tested on"
    return entries


def _warnings(model: FaceNetwork, dataset: PublishedDataset) -> tuple[str, ...]:
    found = []
    assert isinstance(model.head, nn.Linear)  # every published network is a Vision Transformer
    if float(model.head.weight.detach().std()) < _UNTRAINED:
        found.append("the classifier's weights are as small as before training; don't trust what it says")
    if dataset in {"bp4d", "bp4d-plus", "disfa"}:
        found.append(
            "the authors chose epoch and threshold on the test fold; here every threshold is 0.5, so F1 may differ"
        )
    if dataset == "affectnet":
        found.append("the order of AffectNet's classes is taken from the authors' code; check it on a few known faces")
    return tuple(found)
