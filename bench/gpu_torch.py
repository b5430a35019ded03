"""PyTorch's side of bench.gpu. It needs nothing but torch and numpy."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

# Epochs that are timed, of which the best counts.
TIMED_EPOCHS = 3

Rows = tuple[np.ndarray, np.ndarray]


def xor_seconds(device: str, restarts: int, epochs: int) -> float:
    """The seconds of an epoch of XOR. All restarts are one array for each parameter."""
    import torch

    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], device=device).expand(restarts, 4, 2)
    y = torch.tensor([0.0, 1.0, 1.0, 0.0], device=device).expand(restarts, 4)
    shapes = [(restarts, 2, 2), (restarts, 1, 2), (restarts, 2, 1), (restarts, 1, 1)]
    leaves = [torch.randn(shape, device=device, requires_grad=True) for shape in shapes]
    first, first_bias, last, last_bias = leaves
    optimizer = torch.optim.SGD(leaves, lr=0.01)
    loss_function = torch.nn.BCEWithLogitsLoss(reduction="sum")

    def train() -> None:
        for _ in range(epochs):
            optimizer.zero_grad()
            hidden = torch.relu(torch.baddbmm(first_bias, x, first))
            (loss_function(torch.baddbmm(last_bias, hidden, last)[..., 0], y) / 4).backward()
            optimizer.step()

    seconds_of(device, train)
    return seconds_of(device, train) / epochs


def epoch_seconds(device: str, data: Rows, layers: tuple[int, ...], batch: int) -> float:
    """The seconds of an epoch, the best after the first. All rows are on the device."""
    epoch = timed_epochs(device, data, layers, batch)
    epoch()
    return min(epoch() for _ in range(TIMED_EPOCHS))


def timed_epochs(device: str, data: Rows, layers: tuple[int, ...], batch: int) -> Callable[[], float]:
    """A function that trains for a further epoch, and returns its seconds."""
    import torch

    x, y = (torch.from_numpy(each).to(device) for each in data)
    network = make_network(layers).to(device)
    optimizer, loss_function = torch.optim.Adam(network.parameters()), torch.nn.CrossEntropyLoss()

    def train() -> None:
        order = torch.randperm(len(x), device=device)
        for start in range(0, len(x), batch):
            chosen = order[start : start + batch]
            optimizer.zero_grad()
            loss_function(network(x[chosen]), y[chosen]).backward()
            optimizer.step()

    return lambda: seconds_of(device, train)


def check_seconds(device: str, data: Rows, layers: tuple[int, ...]) -> float:
    """The seconds of gradcheck along random directions; along one for each parameter it would take days."""
    import torch

    x, y = (torch.from_numpy(each).to(device) for each in data)
    network, x = make_network(layers).double().to(device), x.double()
    names, leaves = zip(*network.named_parameters(), strict=True)

    def loss(*params: Any) -> Any:
        logits = torch.func.functional_call(network, dict(zip(names, params, strict=True)), (x,))
        return torch.nn.functional.cross_entropy(logits, y)

    return seconds_of(device, lambda: torch.autograd.gradcheck(loss, leaves, fast_mode=True, raise_exception=False))


def make_network(layers: tuple[int, ...]) -> Any:
    """Linear layers with ReLU between them."""
    import torch

    pairs = pairwise(layers)
    parts = [part for inputs, outputs in pairs for part in (torch.nn.Linear(inputs, outputs), torch.nn.ReLU())]
    return torch.nn.Sequential(*parts[:-1])


def seconds_of(device: str, action: Callable[[], Any]) -> float:
    """The seconds that a call takes, until the device has done what it was told."""
    import torch

    started = time.perf_counter()
    action()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - started
