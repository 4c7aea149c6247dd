"""``WeightSpaceAutoencoder``: its parameters and how it is fitted."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from .._diverged import fitted_models
from .._estimator_input import checked_data
from .._sklearn_compat import fit_context
from .._torch_defaults import torch_defaults
from ..architectures import Architecture
from ._base import CodecEstimator
from ._fit import Fitted, fit_codec
from ._parameters import PARAMETER_CONSTRAINTS, check_same_structure, resolve_fit
from .network._training import WeightSpaceNet, read_history


class WeightSpaceAutoencoder(CodecEstimator):
    r"""Embed, rebuild and generate trained networks from their rows of weights.

    A transformer autoencoder whose tokens are neurons and channels. It learns to rebuild weights so
    that the rebuilt network still *behaves* like the original on a set of queries.

    Parameters
    ----------
    architecture : Architecture, default=None
        What a row of weights means. Without one any 2-D array is taken: rows are cut into tokens of
        ``token_size`` columns and only the structural loss is trained, whatever ``gamma``, ``beta``
        and ``permutations`` are.
    queries : array-like of shape (n_all_queries, n_inputs), or dict of such arrays, default=None
        Inputs on which the behavior of models is compared; needed with an architecture unless
        ``beta=1``. Data like the training data of the models serve best. Of several sets by name,
        such as data and noise, each step uses equally many. Mixtures of a few inputs as a second
        set let many ``refine_steps`` match models on new data too.
    gamma : float, default=0.05
        Weight of the contrastive loss, in [0, 1]. The default is that of [1]_.
    beta : float, default=0.1
        Weight of the structural against the behavioral loss, in [0, 1]: 1 compares weights alone, 0
        compares behavior alone. By default behavior dominates, as weights that differ may compute
        the same function.
    behavioral_loss : {"l2", "squared_error", "cross_entropy", "distillation"}, default="l2"
        How outputs of the original and the rebuilt network are compared: squared distance after a
        softmax, squared distance of the raw outputs (for regression), cross-entropy with the
        original's predictions as targets, or distillation at temperature 2. A single output is
        compared without a softmax by ``"l2"``, and is a binary logit for the last two.
    n_queries : int, default=256
        Number of queries that are drawn for each step.
    code : {"auto", "linear", "responses"}, default="auto"
        Closed-form code that the transformers refine: ``"linear"`` is PCA per layer, weighted by
        the sensitivity of the outputs; ``"responses"`` is an activation-aware low-rank code, fitted
        to the responses of each layer in that very model (see Notes). The latter rebuilds behavior
        far better, and needs an architecture whose layers can be run one by one, queries,
        ``beta`` below 1 and whole units as tokens. ``"auto"`` uses it wherever possible.
    latent_dim : int or sequence of int, default=16
        Latent dimensions per token. An int is an average: a model has at most ``n_tokens *
        latent_dim``, allocated to the layers and units that need them most. A sequence fixes the
        dimensions of a token for each layer, at most the number of its weights.
    d_model : int, default=128
        Width of the transformers, a multiple of ``n_heads``.
    n_layers : int, default=4
        Number of transformer layers of the encoder, and of the decoder.
    n_heads : int, default=4
        Number of attention heads per layer.
    token_size : int, default=None
        Length of the longest token; longer units are split. By default that of the longest unit of
        the architecture, so that no unit is split; 64 without an architecture.
    permutations : bool, default=True
        Whether hidden units of a layer may be permuted, as they may in most networks. Copies with
        permuted units are then the views of the contrastive loss.
    align : {"importance", "reference"} or bool, default=None
        The order into which hidden units are brought before a model is encoded. ``"importance"``
        ranks them by how much the next layers get from them, so that important units can have more
        latents; ``"reference"`` matches them to the units of one model, which makes sums of latents
        meaningful. True uses whichever order has the lower loss, and that of a reference with
        ``code="linear"``; False leaves units where they are. By default the value of
        ``permutations``.
    epochs : int, default=100
        Passes over the training models. With 0 the closed-form code is used as it is.
    batch_size : int, default=32
        Number of models per step.
    learning_rate : float, default=3e-4
        Highest learning rate of AdamW. It warms up and then falls along a cosine to 0, unless
        ``callbacks`` hold a skorch ``LRScheduler``.
    validation_fraction : float, default=None
        Fraction of the models held out of training, for the validation losses of ``history_`` and
        for callbacks that monitor them. By default 0.1 with ``callbacks``, and 0 without, as then
        nothing would use them.
    callbacks : list, default=None
        Callbacks of skorch, such as ``EarlyStopping(monitor="valid_total")``.
    warm_start : bool, default=False
        Whether a second ``fit`` continues to train the network of the first for ``epochs`` more,
        with the same normalization and code. Parameters of these, such as ``d_model`` or
        ``latent_dim``, must stay the same.
    checkpoint : path-like, default=None
        File that is written after each epoch, and from which an interrupted ``fit`` of the same
        models and parameters resumes with the same result. It does not hold the state of
        ``callbacks``, and needs an int as ``random_state``.
    refine_steps : int, default=0
        Steps of descent on the latents of each model that is embedded, with the network held fixed.
        Rebuilt models then agree better with the originals; each step costs about as much as a
        training step, so none are taken by default.
    device : str or torch.device, default="auto"
        Where to compute. ``"auto"`` is the first available of cuda, mps and cpu.
    random_state : int, RandomState instance, Generator or None, default=None
        Seed of the initial weights, batches, queries and noise. Pass an int for reproducible
        results.
    verbose : int, default=0
        1 prints a table of the epochs.

    Attributes
    ----------
    history_ : list of dict
        Losses of each epoch: ``epoch`` and ``{train,valid}_{total,structural,behavioral,
        contrastive}``; the total as minimised, terms before their scales, nan where a term is off.
    loss_scales_ : dict
        What each term is divided by in the total.
    latents_ : ndarray of shape (n_models, n_latents)
        Latents of the models of ``fit`` that did not diverge, not refined: the default anchors of
        ``sample``.
    n_latents_ : int
        Latent dimensions per model.
    compression_ : float
        Number of weights per latent dimension.
    codec_ : object
        Token layout, normalization, network and losses.
    net_ : skorch.NeuralNet
        The net that trained the network.
    n_features_in_ : int
        Number of weights per model.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of ``X``, where it had string names.

    Raises
    ------
    InvalidInputError
        From ``fit``: columns or queries do not fit the architecture, queries are missing, or
        parameters do not go together.
    UnsupportedModuleError
        From ``fit``: ``permutations=True`` and the symmetries of the architecture are not known.

    See Also
    --------
    BehaviorFeatures : Features of what models respond, to predict how good models are.
    wsl.metrics.get_scorer : Scorers of rebuilt models for scikit-learn's searches.
    wsl.displays.TrainingHistoryDisplay : Plots ``history_``.

    Notes
    -----
    The loss is equation 6 of [1]_,

    .. math:: L = \gamma L_C + (1 - \gamma) (\beta L_S + (1 - \beta) L_B)

    Each term is divided by a scale: its value before anything is learned, over at most 2,048 of the
    training models. That is the loss of the zoo's mean row for :math:`L_S` and :math:`L_B`, and of
    an embedding of chance for :math:`L_C`. The paper takes the values of the first batch instead,
    which depend on the order of calls.

    Weights are centred, and scaled by layer. Do not put a StandardScaler in front once an
    architecture is given: scaled columns are not weights, so the queries would be run through other
    networks, and permuting units would no longer keep the function.

    The transformers are added to a closed-form code, and their output is zero before training. With
    ``code="responses"`` a layer is decoded after all layers before it. The inputs that it then gets
    on 64 to 256 of the queries have a second moment M in this model; an error e in a unit's weights
    costs :math:`e'Me` in its responses, and r latents per unit keep the r leading eigenvectors of
    :math:`S M`, with S the second moment of the zoo's weights. So each model has the basis that its
    own behavior asks for, and the basis costs no latents. Encoding follows the decoder from layer
    to layer and makes up for earlier errors. Latents are allocated to the units of a layer by what
    the outputs lose to first order without them, and to layers by the loss on 64 models. Units
    that are ordered by importance have latents by rank; no latent says which unit came where, as
    the function does not depend on it. Compressing layers by their responses is an idea of [4]_;
    a decoder that derives the basis from what it has decoded is ours.

    ``code="linear"`` is the optimal linear code of the tokens under the metric
    :math:`\beta I + (1 - \beta) J'J` with J the derivative of the outputs on the queries; with
    ``beta=1`` that is PCA per layer. If rows have no more columns than latents and only the
    structural loss is on, that code is exact and no epoch is trained.

    ``X`` may be a float32 memory map larger than memory, such as
    ``ModelZoo.load(path, mmap=True).weights``; it is read in batches. Normalized rows of up to 256
    MiB are kept during ``fit``.

    References
    ----------
    .. [1] Meynent et al. (2025), "Structure Is Not Enough: Leveraging Behavior for Neural Network
       Weight Reconstruction", arXiv:2503.17138.
    .. [2] Schürholt et al. (2024), "Towards Scalable and Versatile Weight Space Learning", ICML.
    .. [3] Schürholt et al. (2022), "Hyper-Representations as Generative Models", NeurIPS.
    .. [4] Zhang et al. (2016), "Accelerating Very Deep Convolutional Networks for Classification
       and Detection", IEEE TPAMI 38(10).

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
        epochs: int = 100,
        batch_size: int = 32,
        learning_rate: float = 3e-4,
        validation_fraction: float | None = None,
        callbacks: Sequence[Any] | None = None,
        warm_start: bool = False,
        checkpoint: str | os.PathLike | None = None,
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
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.refine_steps = refine_steps
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    @torch_defaults()
    def fit(self, X, y=None):
        """Learn to embed and rebuild the models of a zoo.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model, at least 2 models.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        WeightSpaceAutoencoder
            The fitted autoencoder itself.

        Raises
        ------
        InvalidInputError
            If columns, queries or sizes do not fit the architecture, queries are missing,
            parameters do not go together, or ``checkpoint`` is damaged or of another training.
        UnsupportedModuleError
            If ``permutations=True`` and the symmetries of the architecture are not known.

        Warns
        -----
        DivergedModelWarning
            If models diverged; they are left out.
        """
        continued = self.warm_start and hasattr(self, "codec_")
        X = checked_data(self, X, ensure_min_samples=2, reset=not continued)
        return self._fit(X, continued, one_epoch=False)

    @fit_context(prefer_skip_nested_validation=True)
    @torch_defaults()
    def partial_fit(self, X, y=None):
        """Train on models for one epoch at a constant learning rate.

        The first call fits normalization and code to its models, so give it many. Later calls, or
        those after ``fit``, continue the training. No models are held out, and ``checkpoint`` is
        not written.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model; at least 2 models in the first call.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        WeightSpaceAutoencoder
            The fitted autoencoder itself.

        Raises
        ------
        InvalidInputError
            In the same cases as ``fit``.
        """
        continued = hasattr(self, "codec_")
        least = 1 if continued else 2
        X = checked_data(self, X, ensure_min_samples=least, reset=not continued)
        return self._fit(X, continued, one_epoch=True)

    def _fit(self, X: np.ndarray, continued: bool, one_epoch: bool) -> "WeightSpaceAutoencoder":
        """Fit to checked rows, from the start or from the codec that is there."""
        if continued:
            check_same_structure(self, self.codec_.structure)
        X = X[fitted_models(X)]
        config = resolve_fit(self, X, one_epoch)
        # on a copy: a training that is interrupted leaves the estimator as it was
        previous = Fitted(self.codec_.copy(), self.net_, self.latents_) if continued else None
        fitted = fit_codec(X, config, self.get_params(deep=False), previous)
        self.codec_, self.net_, self.latents_ = fitted.codec, fitted.net, fitted.latents
        self.loss_scales_ = self.codec_.objective.scales
        self.history_ = read_history(self.net_)
        self.n_latents_ = self.codec_.network.n_latents
        self.compression_ = X.shape[1] / self.n_latents_
        return self
