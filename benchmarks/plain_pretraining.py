"""Masked pre-training as it is usually written, to measure facskit against: the shape of the published loop.

Written from the description of the method, without its code: images are decoded, resized, mirrored and normalised one
by one as floats in worker processes; attention forms the whole matrix of weights; patches are gathered from all
tokens; 16-bit floats need loss scaling; every step looks at its loss and waits for the device.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from facskit.faces.normalization import IMAGENET_MEAN, IMAGENET_STD
from facskit.models.masked_autoencoder import AutoencoderConfig
from facskit.models.positions import sincos_positions

__all__ = ["PlainAutoencoder", "PlainFaces", "PlainRun", "endless", "plain_loader", "plain_rate"]


class PlainFaces(Dataset[Tensor]):
    """One image at a time from file to normalised floats.

    Args:
        size: Side that they are resized to, in pixels.
    """

    def __init__(self, files: Sequence[Path], size: int) -> None:
        self.files, self.size = list(files), size
        self.mean, self.std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.files)

    def __getitem__(self, row: int) -> Tensor:
        """Decode, resize, mirror by chance, normalise."""
        with Image.open(self.files[row]) as file:
            picture = file.convert("RGB").resize((self.size, self.size), Image.Resampling.BILINEAR)
        if torch.rand(1).item() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
        return (pixels.float().div(255) - self.mean) / self.std


def plain_loader(faces: PlainFaces, batch_size: int, workers: int) -> "DataLoader[Tensor]":
    """Return shuffled, complete batches from worker processes, pinned where there is a CUDA device."""
    return DataLoader(
        faces,
        batch_size,
        shuffle=True,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        drop_last=True,
        persistent_workers=workers > 0,
    )


def endless(loader: "DataLoader[Tensor]") -> Iterator[Tensor]:
    """Yield batches epoch after epoch."""
    while True:
        yield from loader


class _Attention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, length, dim = tokens.shape
        query, key, value = self.qkv(tokens).reshape(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        weights = ((query @ key.transpose(-2, -1)) * self.scale).softmax(dim=-1)
        mixed = (weights @ value).transpose(1, 2).reshape(batch, length, dim)
        answer: Tensor = self.proj(mixed)
        return answer


class _MLP(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        answer: Tensor = self.fc2(self.act(self.fc1(tokens)))
        return answer


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim, eps=1e-6), _Attention(dim, heads)
        self.norm2, self.mlp = nn.LayerNorm(dim, eps=1e-6), _MLP(dim, int(dim * mlp_ratio))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        refined: Tensor = tokens + self.mlp(self.norm2(tokens))
        return refined


class _Patches(nn.Module):
    def __init__(self, dim: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch_size, patch_size)

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.proj(images).flatten(2).transpose(1, 2)
        return tokens


class PlainAutoencoder(nn.Module):
    """A masked autoencoder whose forward pass is its loss, with the parameter names of the published checkpoints."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        encoder, width = config.encoder, config.decoder_dim
        self.config, self.patch_size = config, encoder.patch_size
        self.patch_embed = _Patches(encoder.dim, encoder.patch_size)
        self.cls_token = nn.Parameter(torch.randn(1, 1, encoder.dim) * 0.02)
        self.pos_embed = nn.Parameter(sincos_positions(encoder.dim, encoder.grid, True), requires_grad=False)
        self.blocks = nn.ModuleList(_Block(encoder.dim, encoder.heads, encoder.mlp_ratio) for _ in range(encoder.depth))
        self.norm = nn.LayerNorm(encoder.dim, eps=1e-6)
        self.decoder_embed = nn.Linear(encoder.dim, width)
        self.mask_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.decoder_pos_embed = nn.Parameter(sincos_positions(width, encoder.grid, True), requires_grad=False)
        self.decoder_blocks = nn.ModuleList(
            _Block(width, config.decoder_heads, encoder.mlp_ratio) for _ in range(config.decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_pred = nn.Linear(width, 3 * encoder.patch_size**2)

    def forward(self, images: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return the mean squared error over removed patches, each normalised by its own statistics."""
        tokens = self.patch_embed(images) + self.pos_embed[:, 1:]
        batch, patches, dim = tokens.shape
        kept = int(patches * (1 - self.config.mask_ratio))
        noise = torch.rand(batch, patches, device=images.device) if noise is None else noise
        order = noise.argsort(dim=1)
        restore = order.argsort(dim=1)
        visible = torch.gather(tokens, 1, order[:, :kept, None].repeat(1, 1, dim))
        first = (self.cls_token + self.pos_embed[:, :1]).expand(batch, -1, -1)
        latent = torch.cat((first, visible), dim=1)
        for block in self.blocks:
            latent = block(latent)
        prediction = self._decode(self.decoder_embed(self.norm(latent)), restore)
        mask = torch.ones(batch, patches, device=images.device)
        mask[:, :kept] = 0
        mask = torch.gather(mask, 1, restore)
        errors = ((prediction - self._targets(images)) ** 2).mean(dim=-1)
        return (errors * mask).sum() / mask.sum()

    def _decode(self, known: Tensor, restore: Tensor) -> Tensor:
        batch, length, width = known.shape
        hidden = self.mask_token.repeat(batch, restore.shape[1] + 1 - length, 1)
        patches = torch.cat((known[:, 1:], hidden), dim=1)
        patches = torch.gather(patches, 1, restore.unsqueeze(-1).repeat(1, 1, width))
        tokens = torch.cat((known[:, :1], patches), dim=1) + self.decoder_pos_embed
        for block in self.decoder_blocks:
            tokens = block(tokens)
        prediction: Tensor = self.decoder_pred(self.decoder_norm(tokens))[:, 1:]
        return prediction

    def _targets(self, images: Tensor) -> Tensor:
        batch, _, height, _ = images.shape
        grid, side = height // self.patch_size, self.patch_size
        patches = images.reshape(batch, 3, grid, side, grid, side).permute(0, 2, 4, 3, 5, 1).reshape(batch, grid**2, -1)
        mean, variance = patches.mean(dim=-1, keepdim=True), patches.var(dim=-1, keepdim=True)
        return (patches - mean) / (variance + 1e-6) ** 0.5


@dataclass(frozen=True, kw_only=True)
class PlainRun:
    """What is measured."""

    device: torch.device
    """Where it computes: 16-bit floats with loss scaling on a GPU, 32-bit floats on a processor."""
    batch_size: int
    """Images per step."""
    warm_up: int
    """Steps that aren't timed."""
    steps: int
    """Steps that are."""


def plain_rate(model: PlainAutoencoder, batches: Iterator[Tensor], run: PlainRun) -> float:
    """Train and return images per second.

    Args:
        model: The autoencoder, moved to the device.
        batches: Endless normalised batches.
    """
    model.to(run.device).train()
    trained = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    groups = [
        {"params": [value for _, value in trained if value.ndim > 1], "weight_decay": 0.05},
        {"params": [value for _, value in trained if value.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.95), fused=False)
    cuda = run.device.type == "cuda"
    scaler = torch.amp.GradScaler(run.device.type, enabled=cuda)
    started = time.perf_counter()
    for step in range(run.warm_up + run.steps):
        if step == run.warm_up:
            started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = 1e-4 * min(1.0, (step + 1) / run.warm_up)
        images = next(batches).to(run.device, non_blocking=True)
        with torch.autocast(run.device.type, torch.float16, enabled=cuda):
            loss = model(images)
        if not math.isfinite(loss.item()):
            raise ArithmeticError(f"the loss is {loss.item()} in step {step}")
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.stack([value.grad.norm() for _, value in trained if value.grad is not None]).norm()
        scaler.step(optimizer)
        scaler.update()
        if cuda:
            torch.cuda.synchronize()
    return run.steps * run.batch_size / (time.perf_counter() - started)
