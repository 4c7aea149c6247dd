"""What a fitted autoencoder of rows offers: embed, rebuild, generate, score."""

from functools import partial

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor

from .. import metrics
from .._batches import map_rows, row_slices
from .._device import resolve_device
from .._diverged import check_finite
from .._estimator_input import checked_data
from .._queries import check_query_sets, first_queries
from .._random import resolve_random_state
from .._sklearn_compat import DocumentedEstimator
from .._torch_defaults import torch_defaults
from .._validation import as_real_array, check_rows, owned_tensor
from ..exceptions import InvalidInputError
from ._codec import Codec
from .inference._candidates import best_candidates
from .inference._generation import draw_latents
from .inference._sampling_arguments import check_sampling
from .tokens._unit_order import Orders


class CodecEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DocumentedEstimator):
    """An estimator with a fitted codec; parameters and ``fit`` are those of the subclass."""

    codec_: Codec
    latents_: np.ndarray

    @torch_defaults()
    def transform(self, X):
        """Embed models.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.

        Returns
        -------
        ndarray of shape (n_models, n_latents), float32
            The latents of each model; they do not depend on the other rows.
        """
        return check_finite(map_rows(self._embed, self._check_rows(X), self.codec_.row_bytes))

    @torch_defaults()
    def inverse_transform(self, Z):
        """Rebuild models from their latents.

        Parameters
        ----------
        Z : array-like of shape (n_models, n_latents)
            Latents, as ``transform`` returns them.

        Returns
        -------
        ndarray of shape (n_models, n_weights), float32
            One row of weights per model, hidden units in the order that ``align`` asks for.

        Raises
        ------
        InvalidInputError
            If ``Z`` does not have ``n_latents_`` columns.
        """
        check_is_fitted(self, "codec_")
        latents = check_array(as_real_array(Z, "Z"), input_name="Z", dtype=None)
        if latents.shape[1] != self.n_latents_:
            raise InvalidInputError(
                f"`Z` must have {self.n_latents_} columns, one per latent dimension; got "
                f"{latents.shape[1]}."
            )
        return self._decode(latents)

    @torch_defaults()
    def reconstruct(self, X):
        """Encode and decode models, keeping the order of their hidden units.

        The result is as large as ``X``: rebuild a zoo that is larger than memory in pieces.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.

        Returns
        -------
        ndarray of shape (n_models, n_weights), float32
            The rebuilt models.
        """
        rows = self._check_rows(X)
        return check_finite(map_rows(self._reconstruct, rows, self.codec_.row_bytes))

    @torch_defaults()
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
            Number of models to return.
        anchors : array-like of shape (n_anchors, n_weights), default=None
            Models whose latents the new ones are drawn from, for instance the best of a zoo. By
            default the models of ``fit``, as they are rebuilt.
        method : {"kde", "token_kde", "interpolation", "gmm", "ensemble"}, default="kde"
            How latents are drawn:

            - ``"kde"``: from a Gaussian kernel density estimate over the latents of whole models.
            - ``"token_kde"``: from one such estimate per token, as Schürholt et al. do. It mixes
              units of different anchors, which works only where the decoder returns about the
              same model for all latents.
            - ``"interpolation"``: a random point between two anchors.
            - ``"gmm"``: from a Gaussian mixture over the principal components of the latents.
            - ``"ensemble"``: a random point between three anchors, moved by ``n_steps`` of descent
              until the model predicts on the queries what these anchors predict on average. It
              needs an architecture and queries, and generates models that are as good as the
              anchors and far from each of them.
        bandwidth : float, default=None
            Standard deviation of the kernel over that of the anchors, for the two kernel densities.
            By default Scott's rule for ``"token_kde"``; 0.1 for ``"kde"``, as Scott's rule is near
            1 for hundreds of dimensions, where decoded models no longer work.
        n_candidates : int, default=None
            Number of models to draw, of which the ``n_models`` of lowest loss on ``queries`` are
            returned, the best first. By default all models that are drawn are returned.
        queries : array-like of shape (n_queries, n_inputs), or dict of such arrays, default=None
            Inputs for ``method="ensemble"`` and for choosing among candidates. By default those of
            the autoencoder.
        labels : array-like of shape (n_queries,), default=None
            Labels of ``queries`` by which candidates are chosen: classes, or floats in regression.
            By default what the anchors predict on average.
        n_steps : int, default=200
            Steps of descent of ``method="ensemble"``. More steps make models better and more
            diverse; 200 cost about as much as training the models from scratch.
        random_state : int, RandomState instance, Generator or None, default=None
            Seed of what is drawn. Pass an int for reproducible models.

        Returns
        -------
        ndarray of shape (n_models, n_weights), float32
            The models, hidden units in the order that ``align`` asks for. They can be trained
            further with ``train_zoo(init=rows)``.

        Raises
        ------
        InvalidInputError
            If an argument has a wrong value, or models have to be run and there is no architecture
            or no queries.
        """
        check_is_fitted(self, "codec_")
        request = check_sampling(
            n_models, method, bandwidth, n_candidates, n_steps, queries, labels,
            self.architecture, self.queries,
        )  # fmt: skip
        latents, rng = self.latents_, resolve_random_state(random_state)
        if anchors is not None:
            anchors = check_rows(anchors, self.n_features_in_, "anchors")
            latents = map_rows(self._embed, anchors, self.codec_.row_bytes)
        elif request.queries is not None:
            anchors = self._decode(latents)
        device = resolve_device(self.device)
        rows = self._decode(draw_latents(self.codec_, request, latents, anchors, rng, device))
        if request.n_candidates is None:
            return rows
        return best_candidates(self.codec_, request, rows, anchors)

    @torch_defaults()
    def score(self, X, y=None):
        """Return the fraction of the variance between models that is rebuilt; 1 is best.

        With an architecture and queries this is :func:`wsl.metrics.behavioral_r2` on the first
        1,000 queries: 0 means no better than the averaged prediction of all models. Otherwise it
        is :func:`wsl.metrics.explained_variance` of the weights. Unlike mean agreement, it is not
        high for models that are all alike.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model, at least 2 models that differ.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        float
            The score.
        """
        rows, row_bytes = self._check_rows(X), self.codec_.row_bytes
        if self.architecture is None or self.queries is None:
            compared = np.asarray
        else:
            sets = check_query_sets(self.queries, self.architecture)
            queries = first_queries(sets)
            compared = partial(self._outputs, queries=queries)
            row_bytes += 8 * len(queries) * self.architecture.n_outputs
        batches = (rows[part] for part in row_slices(len(rows), row_bytes))
        return metrics.streamed_r2((compared(b), compared(self._reconstruct(b))) for b in batches)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.n_latents_

    def _outputs(self, rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
        """Return outputs as the metric compares them, without a softmax for a regression."""
        outputs = self.architecture.forward(rows, queries)
        raw = self.behavioral_loss == "squared_error"
        return outputs.reshape(len(rows), -1) if raw else outputs

    def _check_rows(self, X) -> np.ndarray:
        check_is_fitted(self, "codec_")
        return checked_data(self, X, reset=False)

    def _embed(self, rows: np.ndarray) -> np.ndarray:
        """Return the latents of one batch of rows ``(n_models, n_weights)``."""
        return self._encode(owned_tensor(rows))[0].numpy()

    def _encode(self, rows: Tensor) -> tuple[Tensor, Orders]:
        """Return the latents of one batch of rows, and the orders of their units."""
        normalization = self.codec_.normalization
        orders = normalization.orders(rows)
        normalized = normalization.transform(rows, orders)
        device = resolve_device(self.device)
        return self.codec_.encode(normalized, device, self.refine_steps), orders

    def _reconstruct(self, rows: np.ndarray) -> np.ndarray:
        latents, orders = self._encode(owned_tensor(rows))
        return self.codec_.decode(latents, resolve_device(self.device), orders).numpy()

    def _decode(self, latents: np.ndarray) -> np.ndarray:
        """Return rows of weights for latents ``(n_models, n_latents)``."""
        device = resolve_device(self.device)

        def decode(batch: np.ndarray) -> np.ndarray:
            return self.codec_.decode(owned_tensor(batch), device).numpy()

        return map_rows(decode, latents, self.codec_.row_bytes)
