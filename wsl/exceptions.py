"""The errors and warnings of wsl; each error is also the standard error that it specializes."""


class WslError(Exception):
    """Base of every error that wsl raises on purpose.

    See Also
    --------
    WslWarning : Base of every warning.

    Examples
    --------
    >>> from wsl import Architecture
    >>> from wsl.exceptions import WslError
    >>> try:
    ...     Architecture.mlp(4, 32, 1, activation="sine")
    ... except WslError as error:
    ...     print(type(error).__name__)
    InvalidInputError
    """


class InvalidInputError(WslError, ValueError):
    """An argument has a value or a shape that the called function cannot take.

    See Also
    --------
    UnsupportedModuleError : The argument is of a class that is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import Architecture
    >>> Architecture.mlp(4, 32, 1).forward(np.zeros((2, 10)), np.zeros((5, 4)))
    Traceback (most recent call last):
    wsl.exceptions.InvalidInputError: `weights` must have 193 columns, as the ...
    """


class UnsupportedModuleError(WslError, TypeError):
    """A network, layer or learner is of a kind that the called function does not handle.

    See Also
    --------
    InvalidInputError : The value of an argument is not valid.

    Examples
    --------
    >>> from torch import nn
    >>> from wsl import Architecture
    >>> Architecture(nn.ReLU())
    Traceback (most recent call last):
    wsl.exceptions.UnsupportedModuleError: `module` must have parameters; got a ReLU ...
    """


class ZooFileError(WslError, OSError):
    """A file of a stored zoo is missing, damaged or of another format.

    See Also
    --------
    IncompleteZooWarning : Some folders of a zoo have no model.

    Examples
    --------
    >>> from wsl import ModelZoo
    >>> ModelZoo.load("a folder that does not exist")
    Traceback (most recent call last):
    wsl.exceptions.ZooFileError: ...
    """


class FolderInUseError(ZooFileError, TimeoutError):
    """Another process writes into a folder.

    The message names the folder and the process. What the folder holds is not changed.

    See Also
    --------
    ZooFileError : A file of the folder is missing or damaged.

    Examples
    --------
    Of several processes that save the same zoo, those that are late can leave it to the first:

    >>> import tempfile
    >>> import numpy as np
    >>> from wsl import Architecture, ModelZoo
    >>> from wsl.exceptions import FolderInUseError
    >>> architecture = Architecture.mlp(2, 3, 1)
    >>> zoo = ModelZoo(np.zeros((5, architecture.n_weights)), architecture)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     try:
    ...         path = zoo.save(folder)
    ...     except FolderInUseError as error:
    ...         print(error)
    ...     len(ModelZoo.load(folder))
    5
    """


class TrainingFailedError(WslError, RuntimeError):
    """Some models of a zoo could not be trained.

    Parameters
    ----------
    message : str
        What happened.
    models : array-like of int, default=()
        Indices of the models that were not trained.

    Attributes
    ----------
    models : array-like of int
        Indices of the models that were not trained.

    See Also
    --------
    DivergedModelWarning : Some models were trained, but diverged.

    Examples
    --------
    >>> from wsl.exceptions import TrainingFailedError
    >>> TrainingFailedError("a worker was killed", models=[3, 4]).models
    [3, 4]
    """

    def __init__(self, message: str, models=()):
        super().__init__(message)
        self.models = models


class WslWarning(UserWarning):
    """Base of every warning that wsl issues.

    See Also
    --------
    WslError : Base of every error.

    Examples
    --------
    >>> import warnings
    >>> from wsl.exceptions import WslWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", WslWarning)  # hides the warnings of wsl only
    """


class DivergedModelWarning(WslWarning):
    """Some models diverged: their weights are not finite, or far larger than those of most models.

    A model diverged if a weight is not finite, or if the root mean square of its weights is above 1
    and above 100 times the median of all models whose weights are finite.

    Issued by what trains or reads models, and by every ``fit`` to rows of weights.
    `WeightSpaceAutoencoder`, `BehaviorFeatures`, DeepSets and probes leave diverged models out of
    the fit. Other strategies of attacks leave out those with weights of 1e20 and more, whose
    squares float32 cannot hold; from the rest they learn, but take means and scales of features
    from the models that did not diverge. A ``fit`` refuses weights of 1e20 and more if most models
    have them.

    See Also
    --------
    TrainingFailedError : Some models could not be trained at all.

    Examples
    --------
    >>> import warnings
    >>> from wsl.exceptions import DivergedModelWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", DivergedModelWarning)  # stops at a diverged model
    """


class AttackNotApplicableWarning(WslWarning):
    """An attack was skipped because the audited learner does not offer what it needs.

    See Also
    --------
    AuditReport : Its ``skipped`` holds the reasons.

    Examples
    --------
    >>> import warnings
    >>> from wsl.exceptions import AttackNotApplicableWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", AttackNotApplicableWarning)  # requires every attack
    """


class IncompleteZooWarning(WslWarning):
    """Some folders of a zoo have no model and were skipped.

    See Also
    --------
    read_zoo : Reads such folders.

    Examples
    --------
    >>> import warnings
    >>> from wsl.exceptions import IncompleteZooWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", IncompleteZooWarning)  # requires a model in each folder
    """


class DamagedCacheWarning(WslWarning):
    """A file of a cache could not be read; its contents are computed again.

    See Also
    --------
    ZooFileError : A file of a zoo could not be read.

    Examples
    --------
    >>> import warnings
    >>> from wsl.exceptions import DamagedCacheWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", DamagedCacheWarning)  # stops instead of computing again
    """


class DroppedEnvironmentsWarning(WslWarning):
    """A learner is trained without the environments that an estimator inside it could use.

    See Also
    --------
    audit : Passes environments of a family to the learner.

    Examples
    --------
    >>> import warnings
    >>> from wsl.exceptions import DroppedEnvironmentsWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", DroppedEnvironmentsWarning)  # no silent plain training
    """


class TargetAmongFeaturesWarning(WslWarning):
    """A column of the features says the outcome of every row.

    See Also
    --------
    SubsampledFamily : Draws training sets from a table.

    Examples
    --------
    >>> import warnings
    >>> from wsl.exceptions import TargetAmongFeaturesWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", TargetAmongFeaturesWarning)  # no table with its answers
    """


class EnvironmentsWarning(WslWarning):
    """A causal learner was to compare environments, and has none or too many to compare.

    See Also
    --------
    CausalMitigatedClassifier : Its penalties compare environments.

    Examples
    --------
    >>> import warnings
    >>> from wsl.exceptions import EnvironmentsWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", EnvironmentsWarning)  # stops at a learner without any
    """


class CausalGraphWarning(WslWarning):
    """The data show a dependence that the causal graph excludes.

    See Also
    --------
    CausalFeatureSelector : Tests a causal graph against the data.

    Examples
    --------
    >>> import warnings
    >>> from wsl.exceptions import CausalGraphWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", CausalGraphWarning)  # stops at a graph that does not fit
    """


class CausalFeaturesWarning(WslWarning):
    """No columns predict equally in every environment, or none is certain to be a cause.

    See Also
    --------
    CausalFeatureSelector : Selects columns by invariance.

    Examples
    --------
    >>> import warnings
    >>> from wsl.exceptions import CausalFeaturesWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", CausalFeaturesWarning)  # stops without such columns
    """


class IdenticalDistributionsWarning(WslWarning):
    """Training sets of a family are the same at all values of the property.

    See Also
    --------
    audit : Checks a family before it trains models.

    Examples
    --------
    >>> import warnings
    >>> from wsl.exceptions import IdenticalDistributionsWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", IdenticalDistributionsWarning)  # a control experiment
    """
