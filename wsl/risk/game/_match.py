"""Play of a game: targets are trained and attacked until intervals are narrow."""

from dataclasses import replace
from typing import Any, NamedTuple

from ..evaluation._attack_runs import run_attacks
from ..evaluation._attack_specs import AttackSpec
from ..shadows._drawn_sets import draw_sets
from ..shadows._execution import Execution, named_seed
from ..shadows._population import Population, join_populations
from ..shadows._shadow_models import ShadowModels
from ..shadows._trainer import Trainer
from ._estimand import Estimand, GameOutcome, score_guesses
from ._prior import Prior
from ._sequential_stopping import InterimAnalysis, analyse_losses


class Match(NamedTuple):
    """A game whose arguments are resolved and whose shadow models are trained."""

    learner: Any
    prior: Prior
    estimand: Estimand
    shadows: ShadowModels
    specs: list[AttackSpec]
    n_samples: int
    n_repeats: int
    execution: Execution

    def play(
        self, sizes: list[int], width: float | None
    ) -> tuple[GameOutcome, list[InterimAnalysis], dict[str, str]]:
        """Train and attack targets until intervals have the width, or there are ``sizes[-1]``.

        Returns the outcome, the interim analyses, and why attacks were skipped.
        """
        parts: list[Population] = []
        analyses: list[InterimAnalysis] = []
        skipped: dict[str, str] = {}
        specs = self.specs
        for n_targets in sizes:
            parts.append(self._train_targets(sizes, len(parts)))
            targets = join_populations(parts)
            properties = self.estimand.read_properties(self.prior, targets.properties)
            results = run_attacks(
                specs, self.shadows.population, replace(targets, properties=properties),
                self.estimand.properties, queries=self.shadows.queries,
                n_selected_queries=self.shadows.adversary.n_selected_queries,
                n_repeats=self.n_repeats, seed=self.execution.seeds["attacks"],
                n_jobs=self.execution.n_jobs, progress=self.execution.progress,
            )  # fmt: skip
            skipped |= results.skipped
            specs = [spec for spec in specs if spec.name in results.runs]
            outcome = score_guesses(results, self.estimand.loss)
            analyses.append(analyse_losses(outcome.losses, self.estimand, len(sizes)))
            if n_targets == sizes[-1] or (width is not None and analyses[-1].width <= width):
                return outcome, analyses, skipped
        raise AssertionError("the last size ends the game")

    def _train_targets(self, sizes: list[int], analysis: int) -> Population:
        """Train the targets that an analysis adds to those of the former ones."""
        execution = self.execution
        trainer = Trainer(
            self.learner, self.shadows.queries.rows, self.shadows.adversary.labels_only,
            execution.cache, execution.n_jobs, execution.progress,
        )  # fmt: skip
        first_seed = execution.seeds["targets"]
        drawn_sets = draw_sets(self.prior.family, sizes[-1], self.n_samples, first_seed)
        new_targets = range(sizes[analysis - 1] if analysis else 0, sizes[analysis])
        seed = named_seed(first_seed, str(analysis)) if analysis else first_seed
        return trainer.train(drawn_sets.part(new_targets), seed, name="target models")
