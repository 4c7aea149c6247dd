"""CORAL: means and covariances of features that differ between environments."""

from torch import Tensor

from ._environment_means import EnvironmentMeans, closed_form


def coral_penalty(
    outputs: Tensor, targets: Tensor, members: Tensor, loss, features: Tensor
) -> Tensor:
    r"""Compute how much means and covariances of the features differ between environments.

    Parameters
    ----------
    outputs : Tensor of shape (n_models, n_samples, n_outputs)
        Outputs of the models. Not used, like ``targets`` and ``loss``.
    targets : Tensor of shape (n_models, n_samples, ...)
        Targets in the form that ``loss`` takes.
    members : Tensor of shape (n_environments, n_models or 1, n_samples)
        Weight of each sample in the mean of its environment; 0 outside it.
    loss : object
        The training loss.
    features : Tensor of shape (n_models, n_samples, n_features)
        Inputs of the last layer.

    Returns
    -------
    Tensor of shape (n_models,)
        The mean over pairs of environments for each model; 0 for a single environment.

    See Also
    --------
    fishr_penalty : Compares variances of gradients instead.
    wsl.CausalMitigatedClassifier : Selects penalties by name with ``penalty=``.

    Notes
    -----
    For d features, a pair of environments adds :math:`\frac{1}{4d^2} \|C_e - C_f\|_F^2`, the CORAL
    loss, and :math:`\frac{1}{d} \|\mu_e - \mu_f\|^2`, as in DomainBed, since covariances do not
    depend on the location of the features. Covariances are those of the weighted samples, without
    Bessel's correction. The features of a network without hidden layers are its inputs, so that
    the penalty is constant.

    References
    ----------
    .. [1] B. Sun and K. Saenko, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation",
       ECCV Workshops 2016, equation (1).
    .. [2] I. Gulrajani and D. Lopez-Paz, "In Search of Lost Domain Generalization", ICLR 2021.

    Examples
    --------
    >>> from wsl import Architecture, EnvironmentMembershipFamily, train_zoo
    >>> from wsl.causal import coral_penalty
    >>> data = EnvironmentMembershipFamily.linear_causal().sample(1, 64, random_state=0)
    >>> zoo = train_zoo(
    ...     Architecture.mlp(2, [4], 1), data, n_models=2, loss="mse", epochs=1,
    ...     penalty=coral_penalty, penalty_weight=10, random_state=0,
    ... )
    >>> zoo.weights.shape
    (2, 17)
    """

    def compute(features: Tensor) -> tuple[Tensor, Tensor]:
        environments = EnvironmentMeans(members)
        d = features.shape[-1]
        features = features - features.mean(1, keepdim=True)  # limits rounding errors only
        weighted = environments.weighted(features.mT)
        means = environments.weights @ features  # (n_models, n_environments, d)
        second_moments = (weighted @ features).unflatten(1, (-1, d))
        covariances = second_moments - means[..., None] * means[:, :, None]
        in_mean, in_covariance = environments.center(means), environments.center(covariances)
        # the mean over pairs of squared differences is 2 / (n - 1) times the squared deviations
        n_others = (environments.n_present - 1).clamp(min=1)[:, 0]
        deviation = in_mean.square().sum((1, 2)) / d
        deviation = deviation + in_covariance.square().sum((1, 2, 3)) / (4 * d**2)
        in_mean = in_mean * (4 / (n_others * d)).view(-1, 1, 1)
        in_covariance = in_covariance * (1 / (n_others * d**2)).view(-1, 1, 1, 1)
        in_mean = in_mean - 2 * (in_covariance @ means[..., None])[..., 0]
        gradient = in_mean.mT @ environments.weights
        gradient = gradient + 2 * (in_covariance.flatten(1, 2).mT @ weighted)
        return 2 / n_others * deviation, gradient.mT

    return closed_form(compute, features)
