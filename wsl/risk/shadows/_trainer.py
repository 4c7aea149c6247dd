"""``Trainer``: trains a population, chunk by chunk, or finds chunks in the cache."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np

from ..._progress import progress_bar
from ..._random import draw_seeds
from ..._workers import run_jobs
from ...exceptions import InvalidInputError, TrainingFailedError
from ._cache import Cache
from ._cache_keys import chunk_keys
from ._drawn_sets import DrawnSets, TestSets
from ._environments import warn_of_dropped_environments
from ._jobs import Configured
from ._population import Population, join_populations
from ._single_models import train_single
from ._zoo_models import train_zoo_chunk

# Models are trained, and kept in a cache, one chunk at a time; an interrupt loses one. Models of a
# zoo are cheap, and workers share the models of a chunk.
CHUNK, ZOO_CHUNK = 64, 512


@dataclass(frozen=True)
class Trainer:
    """How models are trained and observed: everything but their data.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
    queries : ndarray of shape (n_queries, n_features)
    labels_only : bool
        Whether responses of classifiers are predicted labels.
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
        drawn_sets: DrawnSets,
        seed: int,
        test_sets: TestSets | None = None,
        name: str = "models",
    ) -> Population:
        """Train one model per data set, or find it in the cache.

        Parameters
        ----------
        drawn_sets : DrawnSets
        seed : int
        test_sets : dict from name to DrawnSets or (X, y), optional
            On which models are scored, each on a set of its own or all on one.
        name : str
            What the progress bar says.

        Notes
        -----
        A model depends on its own data and seed; models of ``fit_zoo`` on those of their chunk too.
        """
        self._check_data(drawn_sets, is_zoo := hasattr(self.learner, "fit_zoo"))
        test_sets = test_sets or {}
        chunks = split_chunks(len(drawn_sets), ZOO_CHUNK if is_zoo else CHUNK)
        keys, trained = {}, {}
        if self.cache:
            keys = chunk_keys(
                self.learner, drawn_sets, seed, self.queries, self.labels_only, test_sets, chunks
            )
            cached = {chunk: self.cache.read(keys[chunk], drawn_sets) for chunk in chunks}
            trained = {chunk: own for chunk, own in cached.items() if own is not None}
        missing = [chunk for chunk in chunks if chunk not in trained]
        train_chunks = self._train_zoos if is_zoo else self._train_each
        n_missing = sum(len(chunk) for chunk in missing)
        with progress_bar(self.progress, total=n_missing, desc=name, leave=False) as bar:
            for chunk, population in train_chunks(drawn_sets, seed, test_sets, missing, bar):
                trained[chunk] = population
                if self.cache:
                    self.cache.write(keys[chunk], population)
        if not trained:
            raise TrainingFailedError(f"all {name} diverged", np.arange(len(drawn_sets)))
        return join_populations([trained[chunk] for chunk in chunks if chunk in trained])

    def _check_data(self, drawn_sets: DrawnSets, is_zoo: bool) -> None:
        """Raise unless queries have the shape of the family's rows; warn of unused environments."""
        X, _, *environments = drawn_sets(0)
        if environments and not is_zoo:
            warn_of_dropped_environments(self.learner)
        shape = np.shape(X)[1:]
        if shape != self.queries.shape[1:]:
            raise InvalidInputError(
                f"`queries` must have the shape of the rows of {drawn_sets.family!r}, {shape}; got "
                f"{self.queries.shape[1:]}."
            )

    def _train_each(
        self,
        drawn_sets: DrawnSets,
        seed: int,
        test_sets: TestSets,
        chunks: list[range],
        bar: Any,
    ) -> Iterator[tuple[range, Population]]:
        """Yield chunks as soon as all of their models are trained; each model is one job."""
        seeds, train = draw_seeds(seed, len(drawn_sets)).tolist(), Configured(train_single)
        jobs = (
            joblib.delayed(train)(
                self.learner, self.queries, self.labels_only, drawn_sets, index, seeds[index],
                test_sets,
            )
            for chunk in chunks
            for index in chunk
        )  # fmt: skip
        results = run_jobs(jobs, self.n_jobs, n_total=sum(map(len, chunks)))
        for chunk in chunks:
            models = []
            for _ in chunk:
                models.append(next(results))
                bar.update()
            yield chunk, join_populations(models)

    def _train_zoos(
        self,
        drawn_sets: DrawnSets,
        seed: int,
        test_sets: TestSets,
        chunks: list[range],
        bar: Any,
    ) -> Iterator[tuple[range, Population]]:
        """Yield chunks, each trained by one call of ``fit_zoo``, unless all its models diverged."""
        for chunk in chunks:
            population = train_zoo_chunk(
                self.learner, self.queries, self.labels_only, drawn_sets, chunk, seed, test_sets,
                self.n_jobs,
            )  # fmt: skip
            bar.update(len(chunk))
            if population is not None:
                yield chunk, population


def split_chunks(n_models: int, size: int) -> list[range]:
    """Return ranges of ``size`` models; the last holds what remains."""
    return [range(i, min(i + size, n_models)) for i in range(0, n_models, size)]
