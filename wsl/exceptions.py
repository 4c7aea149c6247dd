"""The errors and warnings of wsl; each error is also the standard error that it specializes."""


class WslError(Exception):
    """Base of every error that wsl raises on purpose."""


class InvalidInputError(WslError, ValueError):
    """An argument has a value or a shape that the called function cannot take."""


class UnsupportedModuleError(WslError, TypeError):
    """A network, layer or learner is of a kind that the called function does not handle."""


class ZooFileError(WslError, OSError):
    """A file of a stored zoo is missing, damaged or not one of ours."""


class TrainingFailedError(WslError, RuntimeError):
    """Some models of a zoo could not be trained: ``models`` holds their indices, as an array."""

    def __init__(self, message: str, models=()):
        super().__init__(message)
        self.models = models


class WslWarning(UserWarning):
    """Base of every warning that wsl issues."""


class DivergedModelWarning(WslWarning):
    """Some models of a zoo left training with weights that are not finite."""


class AttackNotApplicableWarning(WslWarning):
    """An attack was left out because the audited learner does not offer what it needs."""


class IncompleteZooWarning(WslWarning):
    """Some folders among those of a zoo hold no model and were left out."""


class DamagedCacheWarning(WslWarning):
    """A file of a cache could not be read; what it held is computed again."""


class CausalGraphWarning(WslWarning):
    """Data show a dependence that the causal graph rules out."""


class CausalFeaturesWarning(WslWarning):
    """No set of columns predicts alike in every environment, or none is certain to be causes."""
