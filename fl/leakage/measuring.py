"""Run one cell: victims, their gradients behind a protection, the attack, its score."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from fl import data, models
from fl.attacks.inversion import analytic, imprint, inference, matching, scoring
from fl.attacks.inversion.gradients import GradientModel
from fl.attacks.inversion.models import build_smooth_cnn
from fl.data import Dataset, Examples
from fl.leakage.cells import CLIP_NORM, RECONSTRUCTIONS, Cell, Outcome, Protection, Setting, parse_protection
from fl.training import TrainingConfig, train_locally

SAMPLES = 10
"""Victims that are drawn."""
_EPOCHS = 60
"""Passes that make a model remember its examples, for the attack on its loss."""
_EFFORT = {"mlp": (60, 3), "smooth-cnn": (60, 1), "cnn": (120, 8)}
"""Steps and starts of an optimiser, by model."""
_JOINT_STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What an attack is given, and what it is scored by."""

    model: GradientModel
    """The global model, clipping as the clients do."""
    images: Tensor
    """Victims, float64 [n, channels, height, width]: not for attackers."""
    labels: Tensor
    """int64 [n]."""
    targets: Tensor
    """The same as float64 [n, classes]."""
    known: Tensor
    """Images of the attacker's own, float64 [m, ...]; nobody trained on them."""
    known_labels: Tensor
    """int64 [m]."""
    observed: Tensor
    """What it sees, float64 [groups, d]."""
    protection: Protection
    seed: int

    @property
    def shape(self) -> torch.Size:
        return self.images.shape[1:]


def run_cell(setting: Setting, cell: Cell) -> Outcome:
    """Return what an attack achieves against a protection. Raises: UsageError, NotFoundError: no such data set."""
    started = time.process_time()
    scene = _set_up(setting, cell)
    if cell.attack not in RECONSTRUCTIONS:
        auc = _INFERENCES[cell.attack](scene)
        return _make_outcome(scene, started, auc=auc)
    candidates = _ATTACKS[cell.attack](scene, cell.model)
    victims = scene.images.reshape(len(scene.observed), scene.protection.group, -1)
    nearest, errors = scoring.pair_up(candidates, victims)
    return _make_outcome(scene, started, score=scoring.score(errors), samples=nearest.flatten(0, 1)[:SAMPLES])


def draw_victims(setting: Setting, group: int = 1) -> tuple[Tensor, Tensor]:
    """Return victims of the training part and their labels: float64 [n, ...], int64 [n], whole groups.

    The first ones are the same for every group size, so that their pictures can stand one above the other.
    """
    dataset = data.load(setting.dataset)
    order = torch.randperm(len(dataset.y_train), generator=torch.Generator().manual_seed(setting.seed))
    chosen = order[: -(-setting.images // group) * group].numpy()
    part = dataset.take(chosen)
    return torch.tensor(part.x).double(), torch.tensor(part.y)


def _set_up(setting: Setting, cell: Cell) -> _Scene:
    protection = parse_protection(cell.protection)
    dataset = data.load(setting.dataset)
    images, labels = draw_victims(setting, protection.group)
    known = torch.tensor(dataset.x_test).double()
    network = _build(cell.model, dataset, setting.seed)
    if cell.attack == "imprint":
        network = imprint.make_imprint(network, known)
    if cell.attack == "membership-loss":
        network = _overfit(network, images, labels, setting.seed)
    model = GradientModel(network, clip_norm=protection.clip_norm)
    targets = functional.one_hot(labels, dataset.num_classes).double()
    generator = torch.Generator().manual_seed(setting.seed + 1)
    exact = model.compute(images, targets, group=protection.group)
    noise = torch.randn(exact.shape, generator=generator, dtype=torch.float64) * protection.noise * CLIP_NORM
    return _Scene(
        model=model,
        images=images,
        labels=labels,
        targets=targets,
        known=known,
        known_labels=torch.tensor(dataset.y_test),
        observed=exact + noise,
        protection=protection,
        seed=setting.seed + 2,
    )


def _build(name: str, dataset: Dataset, seed: int) -> nn.Module:
    entry = f"{build_smooth_cnn.__module__}:{build_smooth_cnn.__name__}" if name == "smooth-cnn" else name
    return models.build(entry, input_shape=dataset.input_shape, num_classes=dataset.num_classes, seed=seed)


def _overfit(network: nn.Module, images: Tensor, labels: Tensor, seed: int) -> nn.Module:
    part = Examples(x=images.float().numpy(), y=labels.numpy())
    state = train_locally(network, network.state_dict(), part, TrainingConfig(epochs=_EPOCHS), seed=seed)
    network.load_state_dict(state)
    return network


def _divide(scene: _Scene, _: str) -> Tensor:
    weight, bias = scene.model.split(scene.observed)[:2]
    return analytic.divide(weight, bias)[:, :1]


def _divide_units(scene: _Scene, _: str) -> Tensor:
    weight, bias = scene.model.split(scene.observed)[:2]
    return analytic.divide(weight, bias)


def _read_bins(scene: _Scene, _: str) -> Tensor:
    weight, bias = scene.model.split(scene.observed)[:2]
    return imprint.read_imprint(weight, bias, clients=scene.protection.group)


def _optimise(reconstruct: Callable[..., Tensor], scene: _Scene, model: str) -> Tensor:
    steps, starts = _EFFORT[model]
    if scene.protection.noise or scene.protection.group > 1:
        starts = 1  # noise and others' examples let no start end at a loss of zero: all images would take all starts
    return reconstruct(scene.model, scene.observed, scene.shape, steps=steps, starts=starts, seed=scene.seed)


def _search_jointly(scene: _Scene, _: str) -> Tensor:
    return matching.reconstruct_jointly(
        scene.model,
        scene.observed,
        scene.shape,
        targets=scene.targets,
        group=scene.protection.group,
        steps=_JOINT_STEPS,
        starts=1,
        seed=scene.seed,
    )


def _guess_mean(scene: _Scene, _: str) -> Tensor:
    """Return the mean of the attacker's own images: what nothing was learned for."""
    return scene.known.mean(0).flatten().expand(len(scene.observed), 1, -1)


_ATTACKS: dict[str, Callable[[_Scene, str], Tensor]] = {
    "analytic": _divide,
    "units": _divide_units,
    "imprint": _read_bins,
    "dlg": partial(_optimise, matching.reconstruct_dlg),
    "idlg": partial(_optimise, matching.reconstruct_idlg),
    "cosine": partial(_optimise, matching.reconstruct_cosine),
    "joint": _search_jointly,
    "blind": _guess_mean,
}


def _infer_from_loss(scene: _Scene) -> float:
    """Return the AUC of examples that a model was trained on, far too long, against examples that it never saw."""
    members = inference.score_by_loss(scene.model.model, scene.images, scene.labels)
    others = inference.score_by_loss(scene.model.model, scene.known, scene.known_labels)
    return inference.compute_auc(members, others)


def _infer_from_update(scene: _Scene) -> float:
    """Return the AUC over groups: who is in a group against who is in the next."""
    scores = torch.stack(
        [inference.score_by_update(scene.model, scene.images, scene.targets, each[None]) for each in scene.observed]
    )
    group = scene.protection.group
    member = torch.eye(len(scene.observed), dtype=torch.bool).repeat_interleave(group, dim=1)
    return inference.compute_auc(scores[member], scores[~member])


def _infer_class(scene: _Scene) -> float:
    """Return the AUC over groups and classes: does somebody in the group have examples of the class?"""
    classes = scene.targets.shape[1]
    scores = torch.stack([inference.score_class(scene.model, scene.observed, label) for label in range(classes)], dim=1)
    present = scene.targets.reshape(len(scene.observed), -1, classes).sum(1) > 0
    return inference.compute_auc(scores[present], scores[~present])


_INFERENCES: dict[str, Callable[[_Scene], float]] = {
    "membership-loss": _infer_from_loss,
    "membership-update": _infer_from_update,
    "class": _infer_class,
}


def _make_outcome(
    scene: _Scene,
    started: float,
    *,
    score: scoring.Score | None = None,
    auc: float | None = None,
    samples: Tensor | None = None,
) -> Outcome:
    pixels = [] if samples is None else [bytes((each * 255).round().byte().tolist()).hex() for each in samples]
    return Outcome(
        images=len(scene.images),
        recovered=score.recovered if score else None,
        mse=score.mse if score else None,
        psnr=score.psnr if score else None,
        auc=auc,
        seconds=round(time.process_time() - started, 2),
        samples=tuple(pixels),
    )
