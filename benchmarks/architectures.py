"""Models that practitioners build, with PyTorch's defaults, and what each is fed: what `varprop.bridges.torch` is shown on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

BATCH = 16


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model to be built anew, and its inputs."""

    name: str
    factory: Callable[[], nn.Module]
    inputs: torch.Tensor


class Residual(nn.Module):  # type: ignore[misc]  # PyTorch is not there when types are checked
    """Two convolutions around which the signal passes, with batch normalisation or without; a ResNet's basic block."""

    def __init__(self, channels: int, *, normed: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=not normed)
        self.norm1 = nn.BatchNorm2d(channels) if normed else nn.Identity()
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=not normed)
        self.norm2 = nn.BatchNorm2d(channels) if normed else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        y += x
        return self.relu(y)


class Encoder(nn.Module):  # type: ignore[misc]  # PyTorch is not there when types are checked
    """A transformer's encoder on token ids; each layer is built anew, which nn.TransformerEncoder does not do."""

    def __init__(self, *, norm_first: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(1000, 64)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(64, 4, 256, dropout=0.1, batch_first=True, norm_first=norm_first)
            for _ in range(4)
        )
        self.head = nn.Linear(64, 10)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(dim=1))


class Recurrent(nn.Module):  # type: ignore[misc]  # PyTorch is not there when types are checked
    """Two layers of LSTM on token ids, read at the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(1000, 64)
        self.lower = nn.LSTM(64, 128, batch_first=True)
        self.upper = nn.LSTM(128, 128, batch_first=True)
        self.head = nn.Linear(128, 10)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.upper(self.lower(self.embed(ids))[0])[0][:, -1])


def mlp() -> nn.Module:
    """Ten layers of 256 units."""
    hidden = [part for _ in range(9) for part in (nn.Linear(256, 256), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(256, 10))


def vgg(*, normed: bool) -> nn.Module:
    """Six convolutions in three stages of growing width."""
    layers: list[nn.Module] = []
    before = 3
    for width in (16, 32, 64):
        for _ in range(2):
            norm = [nn.BatchNorm2d(width)] if normed else []
            layers += [nn.Conv2d(before, width, 3, padding=1, bias=not normed), *norm, nn.ReLU(inplace=True)]
            before = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 2 * 2, 10))


def residual(*, normed: bool) -> nn.Module:
    """Eight residual blocks of 16 channels."""
    stem: list[nn.Module] = [nn.Conv2d(3, 16, 3, padding=1, bias=not normed)]
    stem += [nn.BatchNorm2d(16), nn.ReLU(inplace=True)] if normed else [nn.ReLU(inplace=True)]
    blocks = [Residual(16, normed=normed) for _ in range(8)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


def architectures() -> tuple[Architecture, ...]:
    """All of them; inputs are standard normal numbers or token ids, the same at every call."""
    fixed = torch.Generator().manual_seed(2015)
    numbers = torch.randn(BATCH, 256, generator=fixed)
    images = torch.randn(BATCH, 3, 16, 16, generator=fixed)
    ids = torch.randint(1000, (BATCH, 16), generator=fixed)
    factories: dict[str, tuple[Callable[[], nn.Module], Any]] = {
        "MLP": (mlp, numbers),
        "VGG-like": (lambda: vgg(normed=False), images),
        "VGG-like, batch norm": (lambda: vgg(normed=True), images),
        "residual": (lambda: residual(normed=False), images),
        "residual, batch norm": (lambda: residual(normed=True), images),
        "transformer, pre-norm": (lambda: Encoder(norm_first=True), ids),
        "transformer, post-norm": (lambda: Encoder(norm_first=False), ids),
        "LSTM": (Recurrent, ids),
    }
    return tuple(Architecture(name, factory, inputs) for name, (factory, inputs) in factories.items())
