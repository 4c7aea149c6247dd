"""Distribution families: a property value in, a training set out."""

from ._base import DistributionFamily
from ._environments import EnvironmentMembershipFamily
from ._properties import Interval
from ._subsampled import SubsampledFamily
from ._synthetic import RandomNetworkFamily

__all__ = [
    "DistributionFamily",
    "EnvironmentMembershipFamily",
    "Interval",
    "RandomNetworkFamily",
    "SubsampledFamily",
]
