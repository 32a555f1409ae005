"""The learning of a run, without any ledger: data, model, local updates, evaluation.

The federation and its ledger-free twin call the same functions, so that what the ledger adds can be told apart.
"""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fl import data, models
from fl.attacks import Attack, Cohort, get_attack
from fl.data import Dataset, Examples
from fl.layout import Layout, StateDict, apply_vector, flatten, layout_of
from fl.partitions import partition_dirichlet, partition_iid
from fl.privacy.discrete import RandomBytes
from fl.privacy.dpsgd import SampledTraining, train_privately
from fl.privacy.mechanisms import protect
from fl.quantization import clip_l2, dequantize, quantize
from fl.training import TrainingConfig, evaluate, train_locally
from ledger import spec
from ledger.aggregation import aggregate, apply_model_step, judge_cohort
from ledger.script import AttackEvent, DropEvent, Script, WithholdEvent

Vector = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalUpdate:
    """What one client has to send after training."""

    client: int
    """Number in the script."""
    values: Vector
    """int32[d]: client model minus global model, clipped and quantised."""
    num_examples: int
    """Examples trained on."""
    saturated: int
    """Coordinates that did not fit the bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trained:
    """A client's update before it is clipped and quantised."""

    delta: NDArray[np.float32]
    """float32[d]: client model minus global model."""
    num_examples: int
    """Examples trained on."""


class Workload:
    """Data, model and training of a script; the same script gives the same updates on one machine, but for noise."""

    def __init__(self, script: Script, *, random_bytes: RandomBytes = secrets.token_bytes) -> None:
        """Args: random_bytes: what noise is made of, where the script asks for noise."""
        self.script = script
        self.noise = script.noise_term
        self._random_bytes = random_bytes
        self.dataset: Dataset = data.load(script.data.name, root=script.data.root)
        self.model = models.build(
            script.model.entry,
            input_shape=self.dataset.x_train.shape[1:],
            num_classes=self.dataset.num_classes,
            seed=script.run.seed,
        )
        self.template = self.model.state_dict()
        self.layout: Layout = layout_of(self.template)
        self.config = TrainingConfig(**script.training.model_dump())
        self.divisor = script.divisor
        self._models: dict[int, Vector] = {}
        self._agreed: tuple[tuple[int, bytes], dict[int, NDArray[np.float32]]] | None = None

    @cached_property
    def parts(self) -> list[NDArray[np.int64]]:
        """Indices of each client's examples."""
        section, count, seed = self.script.data, self.script.clients.count, self.script.run.seed
        labels = self.dataset.y_train
        if section.partition == "iid":
            return partition_iid(len(labels), count, seed=seed, min_examples=section.min_examples)
        return partition_dirichlet(labels, count, alpha=section.alpha, seed=seed, min_examples=section.min_examples)

    def undivided(self) -> Workload:
        """Return the same learning for rules that take a mean themselves."""
        other = copy.copy(self)
        other.divisor = 1
        if self.script.noise is not None:
            other.noise = self.script.noise.make_term(self.script.format.scale_bits, self.script.quorum)
        return other

    def compute_genesis(self) -> Vector:
        """Return the first global model as int32[d]."""
        vector = flatten(self.template, self.layout).astype(np.float64)
        scaled = np.rint(vector * (1 << self.script.format.scale_bits))
        return np.clip(scaled, spec.INT32_MIN, spec.INT32_MAX).astype(np.int32)

    def to_state(self, model_q: Vector) -> dict[str, object]:
        """Return the state_dict of a global model."""
        vector = dequantize(model_q, self.script.format.scale_bits)
        return dict(apply_vector(self.template, vector, self.layout))

    def compute_update(self, client: int, number: int, model_q: Vector) -> LocalUpdate:
        """Return what a client sends in a round: train, poison if it is an attacker, clip, quantise.

        Args: client: 1 to the script's count. number: round of the run, from 1. model_q: int32[d].
        Raises: NonFinite: training or an attack left NaN or an infinity; names the tensor.
        """
        self.remember(number, model_q)
        trained = self._train(client, number, model_q)
        if client in find_colluders(self.script, number):
            agreed = self._agree(number, model_q)
            trained = replace(trained, delta=agreed[client])
        return self._protect(self._quantize(client, trained.delta, trained.num_examples))

    def remember(self, number: int, model_q: Vector) -> None:
        """Keep the model that a round starts from: colluding clients look back at it."""
        self._models[number] = model_q

    def _protect(self, update: LocalUpdate) -> LocalUpdate:
        """Return the update with the noise that the script asks for: drawn anew by every call, from no seed."""
        if self.noise is None or self.script.noise is None:
            return update
        values = protect(
            update.values,
            self.noise,
            bound=self.script.format.bound,
            is_giver=update.client == self.script.noise.giver,
            random_bytes=self._random_bytes,
        )
        return replace(update, values=values)

    def _train(self, client: int, number: int, model_q: Vector) -> _Trained:
        """Return what a client has before it hears of anybody else."""
        attacks = find_attacks(self.script, client, number)
        part = self._examples(client, attacks)
        before = apply_vector(self.template, dequantize(model_q, self.script.format.scale_bits), self.layout)
        after = self._learn(before, part, seed=derive_seed(self.script, number, client))
        delta = flatten(after, self.layout) - flatten(before, self.layout)
        for attack in attacks:
            delta = attack.poison_delta(delta)
        return _Trained(delta=delta, num_examples=len(part))

    def _learn(self, before: StateDict, part: Examples, *, seed: int) -> StateDict:
        """Return the state after local training; DP-SGD draws its steps from no seed."""
        if self.noise is None or self.noise.mechanism != "sample":
            return train_locally(self.model, before, part, self.config, seed=seed)
        how = SampledTraining.of(self.noise, self.script.format.scale_bits)
        return train_privately(self.model, before, part, self.config, how)

    def _agree(self, number: int, model_q: Vector) -> dict[int, NDArray[np.float32]]:
        """Return what colluding clients send, worked out from everybody's update: once for all of them."""
        if self._agreed is None or self._agreed[0] != (number, model_q.tobytes()):
            self._agreed = (number, model_q.tobytes()), self._collude(number, model_q)
        return self._agreed[1]

    def _collude(self, number: int, model_q: Vector) -> dict[int, NDArray[np.float32]]:
        present = sorted(set(range(1, self.script.clients.count + 1)) - find_absent(self.script, number))
        trained = {client: self._train(client, number, model_q) for client in present}
        sent = {client: each.delta for client, each in trained.items()}
        honest = [client for client in present if not find_attacks(self.script, client, number)]
        if not honest:
            return sent  # nobody is left to be deceived
        cohort = Cohort(
            honest=np.stack([sent[client] for client in honest]),
            previous=self._last_step(number, model_q),
            aggregate=lambda deltas: self._guess(deltas, number),
        )
        for event in self.script.events:
            if isinstance(event, AttackEvent) and event.covers(number):
                group = [client for client in event.targets if client in sent]
                own = np.stack([sent[client] for client in group])
                made = get_attack(event.attack, **event.options).poison_cohort(own, cohort)
                sent.update(zip(group, made, strict=True))
        return sent

    def _last_step(self, number: int, model_q: Vector) -> NDArray[np.float32]:
        """Return what the round before added; zeros where this process has not seen it."""
        before = self._models.get(number - 1, model_q)
        return dequantize(model_q, self.script.format.scale_bits) - dequantize(before, self.script.format.scale_bits)

    def _guess(self, deltas: NDArray[np.float32], number: int) -> NDArray[np.float32]:
        """Return what the run's rule makes of updates: attackers know it, and every client's clipping."""
        form = self.script.format
        updates = [self._quantize(client, delta, 1) for client, delta in enumerate(deltas, start=1)]
        params = self.script.run.rule.make_params(form.bound, form.examples_cap)
        weights = [1] * len(updates)
        params = replace(params, context=_make_context(number, updates, weights))
        return dequantize(aggregate(params, np.stack([u.values for u in updates]), weights), form.scale_bits)

    def _quantize(self, client: int, delta: NDArray[np.float32], num_examples: int) -> LocalUpdate:
        section = self.script.format
        # Writing the delta into a state names the tensor in which a value is not finite.
        apply_vector(self.template, delta, self.layout)
        clip_norm = self.script.clients.clip_norm
        if self.divisor > 1:
            delta, clip_norm = clip_l2(delta, clip_norm) / np.float32(self.divisor), None
        quantized = quantize(delta, scale_bits=section.scale_bits, bound=section.bound, clip_norm=clip_norm)
        return LocalUpdate(
            client=client, values=quantized.values, num_examples=num_examples, saturated=quantized.saturated
        )

    def _examples(self, client: int, attacks: Sequence[Attack]) -> Examples:
        indices = self.parts[client - 1]
        x, y = self.dataset.x_train[indices], self.dataset.y_train[indices]
        for attack in attacks:
            x, y = attack.poison_data(x, y, self.dataset.num_classes)
        return Examples(x=x, y=y)

    def evaluate(self, model_q: Vector) -> float:
        """Return the accuracy of a global model on the test part, 0 to 1."""
        state = apply_vector(self.template, dequantize(model_q, self.script.format.scale_bits), self.layout)
        test = Examples(x=self.dataset.x_test, y=self.dataset.y_test)
        return evaluate(self.model, state, test).accuracy


def derive_seed(script: Script, number: int, client: int) -> int:
    """Return the training seed of a client in a round; distinct for every pair."""
    return int(np.random.SeedSequence([script.run.seed, number, client]).generate_state(1, np.uint64)[0] >> 1)


def find_attacks(script: Script, client: int, number: int) -> list[Attack]:
    """Return the attacks that a script gives to a client in a round."""
    found = [e for e in script.events if isinstance(e, AttackEvent) and e.covers(number) and client in e.targets]
    return [get_attack(event.attack, **event.options) for event in found]


def find_colluders(script: Script, number: int) -> set[int]:
    """Return the clients whose updates a script lets be worked out together in a round."""
    events = [e for e in script.events if isinstance(e, AttackEvent) and e.covers(number)]
    return {c for e in events if get_attack(e.attack, **e.options).colludes for c in e.targets}


def find_absent(script: Script, number: int) -> set[int]:
    """Return the clients that a script lets commit to nothing in a round."""
    return find_silent(script, number, "start", "shares", "commit")


def find_silent(script: Script, number: int, *stages: str) -> set[int]:
    """Return the clients that a script silences in a round at any of these stages."""
    events = [e for e in script.events if isinstance(e, DropEvent) and e.covers(number) and e.stage in stages]
    return {client for event in events for client in event.targets}


def find_withholding(script: Script, number: int) -> set[int]:
    """Return the clients that a script lets commit in a round, and publish nothing."""
    return {c for e in script.events if isinstance(e, WithholdEvent) and e.covers(number) for c in e.targets}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRun:
    """A run of the same learning without a ledger."""

    models: tuple[Vector, ...]
    """Global model after each round, int32[d]."""
    accuracies: tuple[float, ...]
    """Its accuracy on the test part."""


def run_plain(
    workload: Workload,
    rule: spec.RuleParams,
    rounds: int,
    *,
    absent: Callable[[int], Collection[int]] | None = None,
    on_round: Callable[[int], None] | None = None,
) -> PlainRun:
    """Return the run without a ledger: the twin that shows what the ledger changes (nothing but time).

    Args: rule: how updates become one. rounds: at least 1. absent: clients left out of a round; default: the
    script's silent ones. on_round: called after each round.
    """
    model_q, run_models, accuracies = workload.compute_genesis(), [], []
    step: Vector | None = None
    for number in range(1, rounds + 1):
        left_out = find_absent(workload.script, number) if absent is None else absent(number)
        updates = _validate(workload.script, _collect(workload, number, model_q, left_out), step)
        if updates:
            matrix = np.stack([update.values for update in updates])
            stake_wei = workload.script.clients.stake_wei
            weights = [spec.compute_weight(rule, update.num_examples, stake_wei) for update in updates]
            params = replace(rule, context=_make_context(number, updates, weights))
            step = aggregate(params, matrix, weights)
            model_q = apply_model_step(model_q, step)
        run_models.append(model_q)
        accuracies.append(workload.evaluate(model_q))
        if on_round:
            on_round(number)
    return PlainRun(models=tuple(run_models), accuracies=tuple(accuracies))


def _make_context(number: int, updates: Sequence[LocalUpdate], weights: Sequence[int]) -> spec.Context:
    """Return what a composed rule reads of a round without a ledger: its number stands for the ledger's seed."""
    clients = tuple(update.client for update in updates)
    return spec.Context(clients=clients, weights=tuple(weights), seed=number.to_bytes(32, "big"))


def _collect(workload: Workload, number: int, model_q: Vector, left_out: Collection[int]) -> list[LocalUpdate]:
    updates = []
    for client in range(1, workload.script.clients.count + 1):
        if client in left_out:
            continue
        try:
            updates.append(workload.compute_update(client, number, model_q))
        except spec.NonFinite:
            continue  # a client that cannot encode its update does not take part
    return updates


def _validate(script: Script, updates: list[LocalUpdate], step: Vector | None) -> list[LocalUpdate]:
    """Return the updates that the script's validation keeps. Args: step: the aggregate before, None in the first."""
    if script.validation is None:
        return updates
    clients = [update.client for update in updates]
    rejected = judge_cohort(script.validation.validation, [update.values for update in updates], clients, step)
    return [update for update in updates if update.client not in rejected]
