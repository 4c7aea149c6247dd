"""Distribution families: a property value in, a training set out."""

from ._base import DistributionFamily
from ._conditional import ConditionalShiftFamily
from ._environments import EnvironmentMembershipFamily
from ._gaussian import GaussianFamily
from ._properties import Interval
from ._record import RecordMembershipFamily
from ._subsampled import SubsampledFamily
from ._synthetic import RandomNetworkFamily

__all__ = [
    "ConditionalShiftFamily",
    "DistributionFamily",
    "EnvironmentMembershipFamily",
    "GaussianFamily",
    "Interval",
    "RandomNetworkFamily",
    "RecordMembershipFamily",
    "SubsampledFamily",
]
