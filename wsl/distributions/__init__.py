"""Distribution families: a property value in, a training set out."""

from ._base import DistributionFamily
from ._conditional_shift import ConditionalShiftFamily
from ._environment_membership import EnvironmentMembershipFamily
from ._gaussian import GaussianFamily
from ._properties import Interval
from ._random_network import RandomNetworkFamily
from ._record_membership import RecordMembershipFamily
from ._subsampled import SubsampledFamily

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
