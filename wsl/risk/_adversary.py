"""``Adversary``: what an adversary knows of the target models, and what it may do."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Adversary:
    """What an adversary knows of the target models, and what it may do to learn more.

    An adversary trains shadow models on samples of the distributions that it considers possible,
    queries them, and learns to infer the property from their responses or weights. The weaker it
    is made here, the more an audit's result depends on that assumption.

    Parameters
    ----------
    family : DistributionFamily, optional
        Family from which the training sets of the shadow models are drawn. By default the audited
        family, which is the strongest assumption; for an adversary with rows of its own take one
        part of ``family.split()``. Its properties must be those of the audited family. In an
        :class:`InferenceGame`, it may be any prior that the game takes.
    learner : estimator, optional
        Learner of the shadow models, which the adversary believes to be that of the targets. By
        default the audited learner. White-box attacks are skipped where its models have another
        architecture than the targets.
    n_samples : int, optional
        Rows per training set of the shadow models. By default as many as for the targets.
    n_shadows : int, default=256
        Number of shadow models, at least 4 per class of the property. More of them make attacks
        stronger, white-box attacks above all, and take time in proportion.
    queries : {"family", "random"}, array-like or DataFrame of shape (n_queries, n_features), \
            default="family"
        Inputs for which the adversary observes the models' responses: rows drawn from its family
        over all values of the property, rows with each column drawn independently from that
        column of the former, or the given rows.
    n_queries : int, default=256
        Number of queries that are drawn; given rows are all used, whatever this is.
    n_selected_queries : int, optional
        Number of queries that black-box attacks use: those whose responses distinguish the shadow
        models best. By default all.
    labels_only : bool, default=False
        If True, the adversary observes predicted labels only.

    See Also
    --------
    audit : Measure how much the adversary infers from models of a learner.
    train_shadows : Train the adversary's shadow models once, for several audits.
    InferenceGame : A game against the adversary, with any prior, property and loss.

    Notes
    -----
    Fields are checked when the adversary is used, since what they must be depends on the family.

    Examples
    --------
    >>> from wsl import Adversary
    >>> Adversary(n_shadows=64, labels_only=True).n_shadows
    64
    """

    family: Any = None
    learner: Any = None
    n_samples: int | None = None
    n_shadows: int = 256
    queries: Any = "family"
    n_queries: int = 256
    n_selected_queries: int | None = None
    labels_only: bool = False
