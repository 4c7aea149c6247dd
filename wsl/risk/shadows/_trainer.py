"""Populations of models trained on a family: the targets of an audit and the adversary's shadows.

What one trained model shows lives in ``_observe``; attacks on populations in ``_trials``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import has_fit_parameter

from ..._batches import row_slices
from ..._digest import digest_of, identify
from ..._diverged import diverged_rows, warn_of_diverged
from ..._interrupts import interrupts_reach_caller
from ..._progress import progress_bar
from ..._random import draw_seed, draw_seeds
from ..._threads import one_thread
from ..._workers import run_jobs
from ...exceptions import InvalidInputError, TrainingFailedError
from .._input_checks import is_zoo_classifier
from ._cache import Cache
from ._drawn_sets import DrawnSets
from ._jobs import seeded, torch_seeded
from ._observation import plain_array, read_weights, respond, score, score_zoo
from ._population import Population, join, one_hot

if TYPE_CHECKING:
    from ...zoo import ModelZoo

Test = tuple[np.ndarray, np.ndarray]
Tests = dict[str, DrawnSets | Test]  # each on a draw of its own, or all on one test set; by name

# Models are trained, and kept in a cache, a piece at a time; an interrupt loses one. Models of a
# zoo are cheap and spread over workers within a piece.
PIECE, ZOO_PIECE = 64, 512


@dataclass(frozen=True)
class Trainer:
    """How models are trained and looked at: everything but their data.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
    queries : ndarray ``(n_queries, n_features)``
    labels_only : bool
        Whether classifiers answer with the class that they decide on, and no more.
    cache : Cache or None
    n_jobs : int or None
    progress : bool or "auto"
    """

    learner: Any
    queries: np.ndarray
    labels_only: bool = False
    cache: Cache | None = None
    n_jobs: int | None = None
    progress: bool | str = "auto"

    def train(
        self,
        draws: DrawnSets,
        seed: int,
        tests: Tests | None = None,
        name: str = "models",
    ) -> Population:
        """Train one model on each draw, or find it in the cache.

        Parameters
        ----------
        draws : Draws
        seed : int
        tests : dict from name to Draws or (X, y), optional
            What models are scored on, each on a draw of its own or all on one test set.
        name : str
            What the progress bar says.

        Notes
        -----
        A model depends on its own draw and seed; models of ``fit_zoo`` on those of their piece too.
        """
        is_zoo = hasattr(self.learner, "fit_zoo")
        pieces = piece_slices(len(draws), ZOO_PIECE if is_zoo else PIECE)
        tests = tests or {}
        keys = self._keys(draws, seed, tests, pieces)
        found = {}
        if self.cache:
            read = {piece: self.cache.read(keys[piece], draws) for piece in pieces}
            found = {piece: own for piece, own in read.items() if own is not None}
        missing = [piece for piece in pieces if piece not in found]
        if missing:
            shape = np.shape(draws(0)[0])[1:]
            if shape != self.queries.shape[1:]:
                raise InvalidInputError(
                    f"queries have the shape {self.queries.shape[1:]} each, but rows of "
                    f"{draws.family!r} {shape}"
                )
        train = self._train_zoos if is_zoo else self._train_each
        n_missing = sum(len(piece) for piece in missing)
        with progress_bar(self.progress, total=n_missing, desc=name, leave=False) as bar:
            for piece, population in train(draws, seed, tests, missing, bar):
                found[piece] = population
                if self.cache:
                    self.cache.write(keys[piece], population)
        if not found:
            raise TrainingFailedError(f"all {name} diverged", np.arange(len(draws)))
        return join([found[piece] for piece in pieces if piece in found])

    def _keys(
        self, draws: DrawnSets, seed: int, tests: Tests, pieces: list[range]
    ) -> dict[range, str]:
        """Return the name of each piece in the cache: a digest of all that decides its models."""
        if self.cache is None:
            return {}
        parts = {
            "learner": identify(self.learner, "learner"),
            "family": identify(draws.family, "family"),
            "n_samples": draws.n_samples,
            "queries": joblib.hash(self.queries),
            "labels_only": self.labels_only,
            "tests": {
                name: identify(test.family, "test_set")
                if isinstance(test, DrawnSets)
                else joblib.hash(test[:2])
                for name, test in tests.items()
            },
            "seed": seed,
        }
        return {
            piece: digest_of(
                parts
                | {
                    "models": [piece.start, piece.stop],
                    "properties": joblib.hash(draws.properties[piece.start : piece.stop].tolist()),
                    "draws": draws.seeds[piece.start : piece.stop].tolist(),
                    "own_tests": [
                        test.seeds[piece.start : piece.stop].tolist()
                        for test in tests.values()
                        if isinstance(test, DrawnSets)
                    ],
                }
            )
            for piece in pieces
        }

    def _train_each(
        self,
        draws: DrawnSets,
        seed: int,
        tests: Tests,
        pieces: list[range],
        bar: Any,
    ) -> Iterator[tuple[range, Population]]:
        """Yield pieces as soon as all of their models are trained, each of which is one job."""
        seeds = draw_seeds(seed, len(draws)).tolist()
        jobs = (
            joblib.delayed(_train_one)(self, draws, index, seeds[index], tests)
            for piece in pieces
            for index in piece
        )
        results = run_jobs(jobs, self.n_jobs)
        for piece in pieces:
            models = []
            for _ in piece:
                models.append(next(results))
                bar.update()
            yield piece, join(models)

    def _train_zoos(
        self,
        draws: DrawnSets,
        seed: int,
        tests: Tests,
        pieces: list[range],
        bar: Any,
    ) -> Iterator[tuple[range, Population]]:
        """Yield pieces, each trained by one call of ``fit_zoo`` with a seed of its own."""
        for piece in pieces:
            own = np.random.default_rng([seed, piece.start])
            learner = seeded(self.learner, draw_seed(own))
            data = draws.part(piece)
            if self.n_jobs is None:
                zoo = learner.fit_zoo(data, len(piece))
            else:
                with joblib.parallel_config(n_jobs=self.n_jobs):
                    zoo = learner.fit_zoo(data, len(piece))
            own_tests = {
                name: test.part(piece) if isinstance(test, DrawnSets) else test
                for name, test in tests.items()
            }
            bar.update(len(piece))
            kept = _finite(zoo.weights, piece.start)
            if len(kept):
                yield piece, self._observe_zoo(zoo, kept, data, own_tests, piece.start)

    def _observe_zoo(
        self,
        zoo: "ModelZoo",
        kept: np.ndarray,
        draws: DrawnSets,
        tests: Tests,
        start: int,
    ) -> Population:
        """Look at a zoo's models; the first training set tells the classes, as to ``fit_zoo``."""
        labels = draws(0)[1]
        classes = None
        if is_zoo_classifier(self.learner, labels):
            classes = plain_array(np.unique(labels))
        if self.labels_only and classes is None:
            raise InvalidInputError("labels_only=True, but the learner's labels are numbers")
        responses = zoo.architecture.forward(zoo.weights[kept], self.queries)
        if self.labels_only:
            responses = one_hot(responses)
        return Population(
            draws.properties[kept],
            start + kept,
            responses,
            "label" if self.labels_only else "logits",
            classes,
            zoo.weights[kept],
            zoo.architecture,
            {
                (name, metric): values
                for name, test in tests.items()
                for metric, values in _score_zoo(zoo, kept, test, classes).items()
            },
        )


def piece_slices(n_models: int, size: int) -> list[range]:
    """Cut models into pieces of ``size``, the last of them what remains."""
    return [range(i, min(i + size, n_models)) for i in range(0, n_models, size)]


def _train_one(
    trainer: Trainer, draws: DrawnSets, index: int, seed: int, tests: Tests
) -> Population:
    """Return the population of one model."""
    X, y, *environments = draws(index)
    model = seeded(trainer.learner, seed)
    known = {}
    if environments and has_fit_parameter(model, "environments"):
        known["environments"] = environments[0]
    # models are spread over workers, and results depend on no count
    with one_thread(), torch_seeded(model, seed):
        with interrupts_reach_caller():
            model.fit(X, y, **known)
        answers = respond(model, trainer.queries, trainer.labels_only)
        scores = {
            (name, metric): np.array([value])
            for name, test in tests.items()
            for metric, value in score(
                model.predict, *_test_of(test, index), is_classifier(model)
            ).items()
        }
    weights, architecture = read_weights(model, trainer.queries.shape[1]) or (None, None)
    return Population(
        draws.properties[[index]],
        np.array([index]),
        answers.responses[None],
        answers.output,
        answers.classes,
        None if weights is None else weights[None],
        architecture,
        scores,
    )


def _finite(weights: np.ndarray, start: int) -> np.ndarray:
    """Return the indices of the models whose weights are finite; warn of the others."""
    diverged = diverged_rows([weights])
    indices = (start + np.flatnonzero(diverged)).tolist()
    warn_of_diverged(indices, len(weights), "They are left out.")
    return np.flatnonzero(~diverged)


def _score_zoo(
    zoo: "ModelZoo", kept: np.ndarray, test: DrawnSets | Test, classes: np.ndarray | None
) -> dict[str, np.ndarray]:
    weights = zoo.weights[kept]
    n_samples = test.n_samples if isinstance(test, DrawnSets) else len(test[1])
    parts = []
    for part in row_slices(
        len(kept), 8 * n_samples * zoo.architecture.forward_pass.activation_size
    ):
        if isinstance(test, DrawnSets):
            own = [_test_of(test, index) for index in kept[part].tolist()]
        else:
            own = [test]
        parts.append(score_zoo(zoo.architecture, weights[part], own, classes))
    return {metric: np.concatenate([part[metric] for part in parts]) for metric in parts[0]}


def _test_of(test: DrawnSets | Test, index: int) -> Test:
    X, y, *_ = test(index) if isinstance(test, DrawnSets) else test
    return X, y
