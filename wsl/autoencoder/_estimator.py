"""``WeightSpaceAutoencoder``: the scikit-learn side of the weight-space autoencoder.

Inputs are checked and parts put together here; what is computed lives in the modules beside it.
"""

import os
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor

from .. import metrics
from .._batches import map_rows, row_slices
from .._device import resolve_device
from .._random import resolve_random_state
from .._sklearn_compat import fit_context
from .._validation import check_rows, owned_tensor
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ._behavior import BehaviorCode
from ._codec import Codec
from ._fit import FitConfig, learn
from ._parameters import PARAMETER_CONSTRAINTS, check_queries
from .inference._ensemble_sampling import averaged_labels, data_losses, imitate_parents
from .inference._sampling import N_PARENTS, draw_shares, sample_latents
from .inference._sampling_arguments import check_counts, check_data
from .network._query_sets import QuerySets
from .network._training import WeightSpaceNet, read_history
from .tokens._unit_order import Orders

COMPARED_QUERIES = 1000


class WeightSpaceAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Embed, rebuild and generate trained networks from their rows of weights.

    A transformer autoencoder whose tokens are neurons and channels. It learns to rebuild weights so
    that the rebuilt network still *behaves* like the original on a set of queries.

    Parameters
    ----------
    architecture : Architecture, optional
        What a row means. Without one any 2-D array is taken: rows are cut into tokens of
        ``token_size`` numbers, and the structural loss alone is trained, whatever ``gamma``,
        ``beta`` and ``permutations`` are.
    queries : array-like ``(n_all_queries, n_features)``, or dict of such arrays, optional
        Inputs on which behavior is compared. Needed with an architecture unless ``beta=1``. Data
        like the models' own training data serve best. Of several sets by name, such as data, noise
        and other data, each step sees equal shares. Mixtures of a few inputs as a second set let
        many ``refine_steps`` match models on new data too, and not on these inputs alone.
    gamma : float, default=0.05
        Weight of the contrastive loss, in [0, 1].
    beta : float, default=0.1
        Weight of the structural against the behavioral loss, in [0, 1]. 1 is the structural arm.
    behavioral_loss : {"l2", "squared_error", "cross_entropy", "distillation"}, default="l2"
        Squared distance of softmax outputs, or of outputs as they stand (for regression),
        cross-entropy with the original's outputs as targets, or distillation at temperature 2. A
        network with one output is compared by that output as it stands under ``"l2"`` too, and as a
        binary logit under the last two.
    n_queries : int, default=256
        Queries drawn afresh for each step.
    code : {"auto", "linear", "responses"}, default="auto"
        What the transformers stand on and start from: the optimal linear code of each layer's
        tokens, or, far better, a code of their responses to what the layer takes in that very
        model (see Notes). The latter needs an architecture whose layers can be run one by one,
        queries, ``beta`` below 1 and whole units as tokens: "auto" takes it where it can be had.
    latent_dim : int or sequence of int, default=16
        Latent numbers per token, on average: a model has at most ``n_tokens * latent_dim``, and
        each layer, with ``code="responses"`` each unit, gets the share that its weights deserve. A
        sequence says how many a token of each layer gets, at most as many as it has weights.
    d_model, n_layers, n_heads : int, default=128, 4, 4
        Width, layers and heads of the encoder and of the decoder each.
    token_size : int, optional
        Longest token; longer units are split. By default the longest unit of the architecture; 64
        without an architecture.
    permutations : bool, default=True
        Whether hidden units have no order: copies with units in random order are shown in training,
        and the contrastive loss is on.
    align : {True, "importance", "reference", False}, optional
        The order into which hidden units are brought before a model is encoded: by what the layers
        behind them get from them, so that units that matter can have more latents than others; or
        that of the most similar units of a reference model, which makes sums of latents mean
        something. True, the default where ``permutations`` is on, takes the order that loses less
        where there are both, and that of a reference with ``code="linear"``. False leaves units
        where they are.
    cycle_weight : float, default=0.0
        Weight, beside the others, of the distance between a model's latents and those of its
        rebuild.
    temperature : float, default=0.1
        Of the contrastive loss.
    epochs, batch_size, learning_rate, weight_decay : default=100, 32, 3e-4, 3e-9
        Of AdamW.
    schedule : {"cosine", "constant"}, default="cosine"
        The learning rate warms up to ``learning_rate`` and falls along a cosine to 0, or stays
        where it is and is left to ``callbacks``.
    validation_fraction : float, default=0.1
        Share of the rows held out of training, for ``history_`` and for callbacks.
    callbacks : list, optional
        skorch callbacks, passed on as they are; ``valid_total`` is what to monitor, with
        ``EarlyStopping(monitor="valid_total")`` for instance.
    warm_start : bool, default=False
        Whether a second ``fit`` goes on training the network of the first, in the same frame and
        with the same sizes, for ``epochs`` more.
    checkpoint : path, optional
        A file that is written after each epoch and from which an interrupted ``fit`` of the same
        models and parameters goes on, to the same end. What callbacks remember is not in it. Needs
        an int as ``random_state``.
    mixed_precision : bool, default=False
        Train the transformers in bfloat16: twice as fast and more on recent GPUs.
    torch_compile : bool, default=False
        Compile the transformers: a minute at the start, less for each step after it.
    pooling : {None, "mean", "behavior"}, default=None
        ``"mean"`` makes ``transform`` average over the units of a layer: fewer features, for
        predicting properties of models. ``"behavior"`` adds to these what a model answers to the
        first 1,000 of ``queries``: scores against the average answer of the models of ``fit``,
        which stands in for labels [5]_, and places along the directions in which their answers
        differ most. These tell best how accurate a model is. The averages are then divided by the
        square root of their number, lest they outweigh answers where models are few. There is no
        way back from either.
    refine_steps : int, default=0
        Steps of descent on the latents of each model that is embedded, from the encoder's answer,
        with the network held fixed, on all of ``queries`` in turn. Some 30 steps raise agreement
        above the encoder's, and 200 more so; each costs about as much as a step of training.
    device : str or torch.device, default="auto"
    random_state : int, RandomState, Generator or None
    verbose : int, default=0
        1 prints skorch's table of epochs.

    Attributes
    ----------
    history_ : list of dict
        For each epoch ``epoch`` and
        ``{train,valid}_{total,structural,behavioral,contrastive,cycle}``: the total as minimised,
        terms before their scales, nan where a term is off.
    loss_scales_ : dict
        What each term is divided by in the total. From 2,048 of the training rows where there are
        more, as the sensitivity of the outputs is.
    latents_ : ndarray ``(n_models, n_latents)``
        The training models' latents, not refined: the default anchors of ``sample``.
    n_latents_ : int
    compression_ : float
        Weights of a model over its latent numbers.
    codec_ : Codec
        Token layout, order of units, scales and network.
    behavior_code_ : BehaviorCode or None
        Average and directions of answers, from the first models that were fitted to, where
        ``pooling="behavior"`` asks for it.
    net_ : skorch.NeuralNet
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Raises
    ------
    InvalidInputError
        From ``fit``: columns or queries that do not fit the architecture, missing queries. From
        ``transform``: ``pooling`` was set to ``"behavior"`` after ``fit``.
    UnsupportedModuleError
        From ``fit``: ``permutations=True`` with an architecture of unknown symmetries.

    Notes
    -----
    The loss is equation 6 of [1]_,

    .. math:: L = \gamma L_C + (1 - \gamma) (\beta L_S + (1 - \beta) L_B)

    Each term is divided by a scale. The paper takes the value of the first batch, which depends on
    the order of calls; ours is the value before anything is learned, over the training rows: of the
    zoo's mean row for :math:`L_S` and :math:`L_B`, of an embedding of chance for :math:`L_C`.

    Weights are centred and scaled by layer, from the training rows. Do not put a StandardScaler in
    front once an architecture is given: scaled columns are not weights, so the queries would be run
    through other networks, and permuting units would no longer keep the function.

    The transformers are added to a code in closed form, and start at zero. With
    ``code="responses"`` a layer is decoded when all layers before it are: what they answer to 64
    to 256 of the queries has a second moment M in this model, an error e in a unit's weights costs
    :math:`e'Me` in its responses, and r latents a unit keep the r leading eigenvectors of
    :math:`S M`, with S the second moment of the zoo's weights. So each model has the basis that its
    own behavior asks for, and it costs no latents. Encoding follows the decoder from layer to layer
    and makes up for the errors of those before. Latents are shared out among the units of a layer
    by what outputs lose to first order without them, and among layers by what a trial on 64 models
    loses. In the order of importance a place among the units is a rank, and the first have many
    latents where the last have none; no latent says which unit came where, since the function does
    not depend on it. The idea that layers are best compressed by their responses is that of
    [4]_; that the decoder can tell the basis from what it has decoded is ours.

    ``code="linear"`` is the optimal linear code of the tokens under the metric
    :math:`\beta I + (1 - \beta) J'J` with J the derivative of the outputs on the queries; with
    ``beta=1`` that is PCA layer by layer. If rows have no more numbers than latents and only the
    structural loss is on, that code is exact and no epoch is trained.

    X may be a float32 memory map larger than memory, ``ModelZoo.load(path, mmap=True).weights``:
    it is read in batches, and beside it stand latents and the orders of units, a few numbers a
    model. Up to 256 MiB, aligned and scaled rows are kept for the time of ``fit``.

    References
    ----------
    .. [1] Meynent et al. (2025), "Structure Is Not Enough: Leveraging Behavior for Neural Network
       Weight Reconstruction", arXiv:2503.17138.
    .. [2] Schürholt et al. (2024), "Towards Scalable and Versatile Weight Space Learning", ICML.
    .. [3] Schürholt et al. (2022), "Hyper-Representations as Generative Models", NeurIPS.
    .. [4] Zhang et al. (2016), "Accelerating Very Deep Convolutional Networks for Classification
       and Detection", IEEE TPAMI 38(10).
    .. [5] Jiang et al. (2022), "Assessing Generalization of SGD via Disagreement", ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import Architecture, WeightSpaceAutoencoder
    >>> rng = np.random.default_rng(0)
    >>> architecture = Architecture.mlp(4, [8], 3)
    >>> rows, queries = rng.normal(size=(40, architecture.n_weights)), rng.normal(size=(100, 4))
    >>> autoencoder = WeightSpaceAutoencoder(
    ...     architecture, queries=queries, latent_dim=4, d_model=16, n_layers=1, epochs=2,
    ...     random_state=0,
    ... ).fit(rows)
    >>> autoencoder.transform(rows).shape
    (40, 44)
    >>> autoencoder.reconstruct(rows).shape
    (40, 67)
    >>> autoencoder.sample(5, random_state=0).shape
    (5, 67)
    """

    _parameter_constraints: ClassVar[dict] = PARAMETER_CONSTRAINTS
    codec_: Codec
    behavior_code_: BehaviorCode | None
    net_: WeightSpaceNet

    def __init__(
        self,
        architecture: Architecture | None = None,
        *,
        queries=None,
        gamma: float = 0.05,
        beta: float = 0.1,
        behavioral_loss: str = "l2",
        n_queries: int = 256,
        code: str = "auto",
        latent_dim: int | Sequence[int] = 16,
        d_model: int = 128,
        n_layers: int = 4,
        n_heads: int = 4,
        token_size: int | None = None,
        permutations: bool = True,
        align: bool | str | None = None,
        cycle_weight: float = 0.0,
        temperature: float = 0.1,
        epochs: int = 100,
        batch_size: int = 32,
        learning_rate: float = 3e-4,
        weight_decay: float = 3e-9,
        schedule: str = "cosine",
        validation_fraction: float = 0.1,
        callbacks: Sequence[Any] | None = None,
        warm_start: bool = False,
        checkpoint: str | os.PathLike | None = None,
        mixed_precision: bool = False,
        torch_compile: bool = False,
        pooling: str | None = None,
        refine_steps: int = 0,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.architecture = architecture
        self.queries = queries
        self.gamma = gamma
        self.beta = beta
        self.behavioral_loss = behavioral_loss
        self.n_queries = n_queries
        self.code = code
        self.latent_dim = latent_dim
        self.d_model = d_model
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.token_size = token_size
        self.permutations = permutations
        self.align = align
        self.cycle_weight = cycle_weight
        self.temperature = temperature
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.schedule = schedule
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.mixed_precision = mixed_precision
        self.torch_compile = torch_compile
        self.pooling = pooling
        self.refine_steps = refine_steps
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn to embed and rebuild the models of a zoo.

        Parameters
        ----------
        X : array-like ``(n_models, n_weights)``
            One row a model.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If columns, queries or sizes do not fit the architecture, or queries are missing.
        UnsupportedModuleError
            If ``permutations=True`` and the symmetries of the architecture are not known.
        """
        continued = self.warm_start and hasattr(self, "codec_")
        X = validate_data(self, X, dtype=np.float32, ensure_min_samples=2, reset=not continued)
        lesson = FitConfig(self.epochs, self.schedule, self.validation_fraction)
        return self._learn(X, lesson, continued)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Train on models for one epoch, at a constant rate; none is held out.

        The first call chooses the frame and the code from its models, so give it many. Later
        calls, or those after ``fit``, go on training.

        Parameters
        ----------
        X : array-like ``(n_models, n_weights)``
            At least 2 models in the first call.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            As ``fit`` does.
        """
        continued = hasattr(self, "codec_")
        least = 1 if continued else 2
        X = validate_data(self, X, dtype=np.float32, ensure_min_samples=least, reset=not continued)
        return self._learn(X, FitConfig(1, "constant", 0.0, rescales=False), continued)

    def transform(self, X):
        """Embed models.

        Parameters
        ----------
        X : array-like ``(n_models, n_weights)``

        Returns
        -------
        ndarray ``(n_models, n_latents)`` float32
            With ``pooling``, ``(n_models, n_pooled)``: averages over the units of a layer, and
            after them what answers are made into.
        """
        rows, row_bytes = self._check_rows(X), self._row_bytes
        if self.pooling != "behavior":
            embed = partial(self._embed, pooled=self.pooling is not None)
            return map_rows(embed, rows, row_bytes)
        code = self._read_behavior()
        scale = np.float32(self.codec_.network.n_pooled**-0.5)  # many, they would outweigh answers

        def join(batch: np.ndarray) -> np.ndarray:
            return np.hstack([scale * self._embed(batch, pooled=True), code.encode(batch)])

        return map_rows(join, rows, row_bytes + code.row_bytes)

    def inverse_transform(self, Z):
        """Rebuild models from their latents, hidden units in the order that ``align`` asks for.

        Parameters
        ----------
        Z : array-like ``(n_models, n_latents)``

        Returns
        -------
        ndarray ``(n_models, n_weights)`` float32

        Raises
        ------
        InvalidInputError
            If ``pooling`` is on: what it gives does not lead back to weights.
        """
        check_is_fitted(self, "codec_")
        if self.pooling is not None:
            raise InvalidInputError(
                f"pooling={self.pooling!r} has no inverse; wanted pooling=None to rebuild models"
            )
        latents = check_array(Z, dtype=np.float32, input_name="Z")
        if latents.shape[1] != self.n_latents_:
            raise InvalidInputError(
                f"Z has {latents.shape[1]} columns, but a model has {self.n_latents_} latents"
            )
        return self._rebuild(latents)

    def reconstruct(self, X):
        """Encode and decode models; each comes back with its hidden units in its own order.

        The result is as large as X: rebuild a zoo that is larger than memory piece by piece.

        Parameters
        ----------
        X : array-like ``(n_models, n_weights)``

        Returns
        -------
        ndarray ``(n_models, n_weights)`` float32
        """
        return map_rows(self._reconstruct, self._check_rows(X), self._row_bytes)

    def sample(
        self,
        n_models,
        *,
        anchors=None,
        method="kde",
        bandwidth=None,
        n_candidates=None,
        queries=None,
        labels=None,
        n_steps=200,
        random_state=None,
    ):
        """Generate models.

        Parameters
        ----------
        n_models : int
        anchors : array-like ``(n_anchors, n_weights)``, optional
            Models whose latents the new ones are drawn from, the best of a zoo for instance. By
            default the training rows, as they are rebuilt.
        method : {"kde", "token_kde", "interpolation", "gmm", "ensemble"}, default="kde"
            ``"kde"``: a Gaussian kernel density over the latents of whole models. ``"token_kde"``:
            one for each token by itself, as in [2]_ and [3]_; it mixes the units of different
            anchors, which works only where the decoder gives much the same model for all latents.
            ``"interpolation"``: a point between two anchors. ``"gmm"``: a Gaussian mixture over
            the principal components of the anchors' latents. ``"ensemble"``: a point between three
            anchors, moved by ``n_steps`` of descent on the latents until the model answers the
            queries as these anchors do on average; it needs an architecture and queries. This is
            the method that gives models as good as the anchors and far from each of them.
        bandwidth : float, optional
            Of the two kernel densities: spread of the kernel over the spread of the anchors. By
            default 0.1 for ``"kde"``, as Scott's rule is near 1 for hundreds of numbers, where
            decoded models no longer work; and Scott's rule for ``"token_kde"``.
        n_candidates : int, optional
            How many models to draw; the ``n_models`` of lowest loss on ``queries`` are returned,
            the best first. By default all that are drawn are returned, as they come.
        queries : array-like ``(n_queries, n_features)``, optional
            Inputs for ``"ensemble"`` and for choosing; by default those of the autoencoder.
        labels : array-like ``(n_queries,)``, optional
            Of ``queries``, to choose by: class labels, or floats in regression. By default what the
            anchors answer on average.
        n_steps : int, default=200
            Of ``"ensemble"``, each on 64 to 256 queries: together they cost about as much as
            training the models from scratch, without labels. More steps make models better and more
            diverse.
        random_state : int, RandomState, Generator or None

        Returns
        -------
        ndarray ``(n_models, n_weights)`` float32, hidden units in the order of ``align``
            ``train_zoo(init=rows)`` trains them on.

        Raises
        ------
        InvalidInputError
            If an argument has a wrong value, or models are to be run and there is no architecture
            or no queries.
        """
        check_is_fitted(self, "codec_")
        n_drawn = check_counts(n_models, method, bandwidth, n_candidates, n_steps)
        queries, labels = check_data(
            self.architecture, self.queries, queries, labels, method, n_candidates
        )
        latents = self.latents_
        if anchors is not None:
            anchors = check_rows(anchors, self.n_features_in_, "anchors")
            latents = map_rows(self._embed, anchors, self._row_bytes)
        elif queries is not None:
            anchors = self._rebuild(latents)
        rng = resolve_random_state(random_state)
        if method == "ensemble":
            shares = draw_shares(len(latents), N_PARENTS, n_drawn, rng)
            drawn = imitate_parents(
                self.codec_, shares @ latents, anchors, shares, queries,
                int(n_steps), rng, resolve_device(self.device),
            )  # fmt: skip
        else:
            blocks = self.codec_.network.latent_blocks
            drawn = sample_latents(method, latents, blocks, n_drawn, rng, bandwidth)
        rows = self._rebuild(drawn.astype(np.float32))
        if n_candidates is None:
            return rows
        if labels is None:
            labels = averaged_labels(self.codec_, anchors, queries)
        losses = data_losses(self.codec_, rows, queries, labels)
        return rows[np.argsort(losses, kind="stable")[:n_models]]

    def score(self, X, y=None):
        """Return how much of the differences between models is rebuilt; 1 is best.

        With an architecture and queries it is ``wsl.metrics.behavioral_r2`` on the first 1,000
        queries: the share of the between-model variance of the outputs, 0 for giving everybody the
        averaged prediction. Otherwise ``wsl.metrics.explained_variance`` of the weights. Neither is
        flattered by models that are all alike, as mean agreement is.

        Parameters
        ----------
        X : array-like ``(n_models, n_weights)``
            At least 2 models that differ.
        y : ignored

        Returns
        -------
        float
        """
        rows, row_bytes = self._check_rows(X), self._row_bytes
        if self.architecture is None or self.queries is None:
            seen = np.asarray
        else:
            queries = self._first_queries(self.architecture)
            seen = partial(self._answers, queries=queries)
            row_bytes += 8 * len(queries) * self.architecture.n_outputs
        batches = (rows[part] for part in row_slices(len(rows), row_bytes))
        return metrics.streamed_r2((seen(b), seen(self._reconstruct(b))) for b in batches)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _learn(self, X: np.ndarray, lesson: FitConfig, continued: bool) -> "WeightSpaceAutoencoder":
        """Train this codec, or a new one, on checked rows."""
        # on a copy: a training that is interrupted leaves the estimator as it was
        before = (self.codec_.copy(), self.net_) if continued else None
        self.codec_, self.net_, self.latents_ = learn(self, X, lesson, before)
        network = self.codec_.network
        self.loss_scales_ = self.codec_.objective.scales
        self.history_ = read_history(self.net_)
        self.n_latents_ = network.n_latents
        self.compression_ = X.shape[1] / self.n_latents_
        if not continued or self.behavior_code_ is None:
            self.behavior_code_ = self._learn_behavior(X)
        return self

    def _learn_behavior(self, X: np.ndarray) -> BehaviorCode | None:
        if self.pooling != "behavior":
            return None
        assert self.architecture is not None
        queries = self._first_queries(self.architecture)
        return BehaviorCode.fit(X, self.architecture, queries, self.behavioral_loss)

    def _read_behavior(self) -> BehaviorCode:
        if self.behavior_code_ is None:
            raise InvalidInputError(
                "pooling='behavior' was set after fit; wanted it before, to learn how models answer"
            )
        return self.behavior_code_

    def _first_queries(self, architecture: Architecture) -> np.ndarray:
        """Return the queries on which models are compared, ``(n_queries, n_inputs)``."""
        sets = check_queries(self.queries, architecture)
        return QuerySets([owned_tensor(one) for one in sets]).first(COMPARED_QUERIES).numpy()

    def _answers(self, rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
        """Return outputs as the metric is to compare them, those of a regression as they stand."""
        assert self.architecture is not None
        outputs = self.architecture.forward(rows, queries)
        as_they_stand = self.behavioral_loss == "squared_error"
        return outputs.reshape(len(rows), -1) if as_they_stand else outputs

    @property
    def _n_features_out(self) -> int:
        if self.pooling is None:
            return self.n_latents_
        n_answers = self._read_behavior().n_features if self.pooling == "behavior" else 0
        return self.codec_.network.n_pooled + n_answers

    @property
    def _row_bytes(self) -> int:
        return self.codec_.row_bytes

    def _check_rows(self, X) -> np.ndarray:
        check_is_fitted(self, "codec_")
        return validate_data(self, X, dtype=np.float32, reset=False)

    def _embed(self, rows: np.ndarray, pooled: bool = False) -> np.ndarray:
        """Return the latents of one batch of rows ``(n_models, n_weights)``."""
        return self._encode(owned_tensor(rows), pooled)[0].numpy()

    def _encode(self, rows: Tensor, pooled: bool = False) -> tuple[Tensor, Orders]:
        frame, device = self.codec_.frame, resolve_device(self.device)
        orders = frame.orders(rows)
        entered = frame.enter(rows, orders)
        return self.codec_.encode(entered, device, self.refine_steps, pooled), orders

    def _reconstruct(self, rows: np.ndarray) -> np.ndarray:
        latents, orders = self._encode(owned_tensor(rows))
        return self.codec_.decode(latents, resolve_device(self.device), orders).numpy()

    def _rebuild(self, latents: np.ndarray) -> np.ndarray:
        """Return rows of weights for latents ``(n_models, n_latents)``."""
        device = resolve_device(self.device)

        def decode(batch: np.ndarray) -> np.ndarray:
            return self.codec_.decode(owned_tensor(batch), device).numpy()

        return map_rows(decode, latents, self._row_bytes)
