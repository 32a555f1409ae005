"""Attacks on updates: each finds what it should where nothing protects, and nothing where enough noise does."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional

from fl import data, models
from fl.attacks.inversion import analytic, imprint, inference, matching, scoring
from fl.attacks.inversion.gradients import GradientModel
from fl.attacks.inversion.minimising import minimise_lbfgs, minimise_signed
from fl.attacks.inversion.models import build_smooth_cnn
from ledger.errors import UsageError

SHAPE = torch.Size((1, 8, 8))
SMOOTH = f"{build_smooth_cnn.__module__}:{build_smooth_cnn.__name__}"


def build(name: str) -> nn.Module:
    return models.build(name, input_shape=tuple(SHAPE), num_classes=10, seed=1)


def take(count: int) -> tuple[Tensor, Tensor]:
    dataset = data.load("digits")
    labels = torch.tensor(dataset.y_train[:count])
    return torch.tensor(dataset.x_train[:count]).double(), functional.one_hot(labels, 10).double()


def share_recovered(candidates: Tensor, images: Tensor) -> float:
    _, errors = scoring.pair_up(candidates, images.reshape(len(candidates), -1, SHAPE.numel()))
    return scoring.score(errors).recovered


@pytest.mark.parametrize("name", ["mlp", "cnn", SMOOTH])
def test_gradients_of_many_examples_are_those_of_torch(name: str) -> None:
    images, targets = take(6)
    model = GradientModel(build(name))

    def loss(parameters: dict[str, Tensor], image: Tensor, target: Tensor) -> Tensor:
        logits = functional_call(model.model, parameters, (image[None],))[0]
        return -(torch.log_softmax(logits, dim=0) * target).sum()

    pieces = vmap(grad(loss), (None, 0, 0))(dict(model.model.named_parameters()), images, targets)
    want = torch.cat([piece.flatten(1) for piece in pieces.values()], dim=1)
    assert torch.allclose(model.compute(images, targets), want, atol=1e-12)
    assert torch.allclose(model.compute(images, targets, group=3), want.reshape(2, 3, -1).sum(1), atol=1e-12)
    norms = want.norm(dim=1)
    clipped = GradientModel(build(name), clip_norm=float(norms.median())).compute(images, targets)
    assert torch.allclose(clipped, want * (norms.median() / norms).clamp(max=1)[:, None], atol=1e-12)
    assert float(clipped.norm(dim=1).max()) <= float(norms.median()) + 1e-12 < float(norms.max())


@pytest.mark.parametrize("group", [1, 2])
def test_products_with_an_observation_need_no_gradient_written_out(group: int) -> None:
    images, targets = take(4)
    for name in ("mlp", "cnn"):
        model = GradientModel(build(name), clip_norm=1.0)
        own = model.compute(images, targets, group=group)
        other = torch.randn(own.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        product, square = model.match(images.clone().requires_grad_(True), targets, model.split(other), group=group)
        assert torch.allclose(product.detach(), (own * other).sum(1))
        assert torch.allclose(square.detach(), own.square().sum(1))


def test_a_model_with_other_layers_is_refused() -> None:
    with pytest.raises(UsageError):
        GradientModel(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10)))


@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_a_linear_layer_gives_its_input_away_clipped_or_not(clip_norm: float | None) -> None:
    images, targets = take(100)
    model = GradientModel(build("mlp"), clip_norm=clip_norm)
    weight, bias = model.split(model.compute(images, targets))[:2]
    candidates = analytic.divide(weight, bias)
    assert float((candidates[:, 0] - images.flatten(1)).abs().max()) < 1e-9


def test_noise_of_three_percent_of_the_clip_hides_the_input() -> None:
    images, targets = take(100)
    model = GradientModel(build("mlp"), clip_norm=1.0)
    exact = model.compute(images, targets)
    drawn = torch.randn(exact.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    shares = {}
    for noise in (0.001, 0.03):
        weight, bias = model.split(exact + noise * drawn)[:2]
        shares[noise] = share_recovered(analytic.divide(weight, bias), images)
    assert shares == {0.001: 1.0, 0.03: 0.0}


def test_an_imprint_reads_most_images_out_of_a_sum_over_eight_clients() -> None:
    images, targets = take(104)
    crooked = imprint.make_imprint(build("mlp"), torch.tensor(data.load("digits").x_test))
    model = GradientModel(crooked)
    read = {}
    for group in (1, 8):
        weight, bias = model.split(model.compute(images, targets, group=group))[:2]
        read[group] = share_recovered(imprint.read_imprint(weight, bias, clients=group), images)
    assert read[1] == 1.0
    assert 0.7 <= read[8] < 1.0


def test_an_imprint_needs_a_perceptron_and_leaves_the_honest_model_alone() -> None:
    honest = build("mlp")
    before = {name: tensor.clone() for name, tensor in honest.state_dict().items()}
    imprint.make_imprint(honest, torch.rand(10, *SHAPE))
    assert all(torch.equal(tensor, before[name]) for name, tensor in honest.state_dict().items())
    for other in ("cnn", "logistic"):
        with pytest.raises(UsageError):
            imprint.make_imprint(build(other), torch.rand(10, *SHAPE))


@pytest.mark.parametrize(
    ("attack", "name", "steps", "starts"),
    [
        (matching.reconstruct_dlg, "mlp", 60, 2),
        (matching.reconstruct_idlg, "mlp", 60, 2),
        (matching.reconstruct_idlg, SMOOTH, 60, 1),
        (matching.reconstruct_cosine, "mlp", 150, 1),
    ],
    ids=["dlg-mlp", "idlg-mlp", "idlg-smooth-cnn", "cosine-mlp"],
)
def test_matching_gradients_finds_the_images_of_clipped_updates_and_not_of_noisy_ones(
    attack: partial[Tensor], name: str, steps: int, starts: int
) -> None:
    images, targets = take(5 if name == SMOOTH else 12)
    model = GradientModel(build(name), clip_norm=1.0)
    exact = model.compute(images, targets)
    noise = 0.05 * torch.randn(exact.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert share_recovered(attack(model, exact, SHAPE, steps=steps, starts=starts, seed=3), images) >= 0.9
    assert share_recovered(attack(model, exact + noise, SHAPE, steps=steps, starts=1, seed=3), images) == 0.0


def test_searching_all_images_of_a_sum_together_finds_what_secure_aggregation_was_to_hide() -> None:
    images, targets = take(16)
    model = GradientModel(build("mlp"))
    observed = model.compute(images, targets, group=4)
    candidates = matching.reconstruct_jointly(
        model, observed, SHAPE, targets=targets, group=4, steps=150, starts=1, seed=3
    )
    assert candidates.shape == (4, 4, 64)
    assert share_recovered(candidates, images) >= 0.6
    alone = matching.reconstruct_idlg(model, observed, SHAPE, steps=60, starts=1, seed=3)
    assert share_recovered(alone, images) <= 0.25, "one candidate a sum finds one image of four at most"


def test_labels_of_single_examples_are_read_off_the_last_bias() -> None:
    images, targets = take(100)
    model = GradientModel(build("cnn"))
    assert torch.equal(matching.guess_labels(model, model.compute(images, targets)), targets)


def test_rows_are_minimised_each_for_itself() -> None:
    def rosenbrock(point: Tensor) -> Tensor:
        return (1 - point[:, 0]).square() + 100 * (point[:, 1] - point[:, 0].square()).square()

    start = torch.tensor([[-1.2, 1.0], [3.0, -2.0], [1.0, 1.0]], dtype=torch.float64)
    point, value = minimise_lbfgs(rosenbrock, start, steps=80)
    assert torch.allclose(point, torch.ones(3, 2, dtype=torch.float64), atol=1e-4)
    assert float(value.max()) < 1e-8
    first, _ = minimise_lbfgs(rosenbrock, start[:2], steps=5)
    assert torch.isfinite(first).all()
    inside, _ = minimise_signed(lambda p: (p - torch.tensor([0.3, 2.0])).square().sum(1), start, steps=200, rate=0.1)
    assert torch.allclose(inside, torch.tensor([[0.3, 1.0]], dtype=torch.float64).expand(3, 2), atol=1e-3)


def test_an_update_tells_its_members_apart_from_strangers() -> None:
    images, targets = take(64)
    model = GradientModel(build("mlp"))
    observed = model.compute(images[:8], targets[:8], group=8)
    scores = inference.score_by_update(model, images, targets, observed)
    assert inference.compute_auc(scores[:8], scores[8:]) > 0.75
    mixed = inference.score_by_update(model, images[8:], targets[8:], observed)
    assert 0.25 < inference.compute_auc(mixed[::2], mixed[1::2]) < 0.75


def test_a_sum_tells_which_classes_its_clients_hold() -> None:
    images, targets = take(40)
    model = GradientModel(build("mlp"))
    observed = model.compute(images, targets, group=4)
    present = targets.reshape(10, 4, 10).sum(1) > 0
    scores = torch.stack([inference.score_class(model, observed, label) for label in range(10)], dim=1)
    assert inference.compute_auc(scores[present], scores[~present]) > 0.95


def test_auc_counts_ties_half() -> None:
    one, two = torch.tensor([1.0]), torch.tensor([2.0])
    assert [inference.compute_auc(*pair) for pair in ((two, one), (one, two), (one, one))] == [1.0, 0.0, 0.5]


def test_the_nearest_candidate_of_its_own_group_counts() -> None:
    images = torch.tensor([[[0.0, 0.0], [1.0, 1.0]], [[0.5, 0.5], [0.0, 1.0]]], dtype=torch.float64)
    candidates = torch.tensor([[[0.0, 0.1]], [[1.0, 1.0]]], dtype=torch.float64)
    nearest, errors = scoring.pair_up(candidates, images)
    assert torch.allclose(errors, torch.tensor([[0.005, 0.905], [0.25, 0.5]], dtype=torch.float64))
    assert torch.equal(nearest[1, 0], candidates[1, 0])
    found = scoring.score(errors)
    assert (found.recovered, scoring.to_psnr(0.01), scoring.to_psnr(0.0)) == (0.25, 20.0, 150.0)
