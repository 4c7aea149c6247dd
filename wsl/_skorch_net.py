"""``InterruptibleNet``: the skorch net that every estimator of wsl trains."""

from typing import Any

from skorch import NeuralNet

from ._interrupts import interrupts_reach_caller, interrupts_wait


class InterruptibleNet(NeuralNet):
    """A net whose training raises KeyboardInterrupt on Ctrl-C, where skorch's returns half trained.

    Callbacks such as ``EarlyStopping`` raise one too, to end the training: that is no interrupt.
    """

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> "InterruptibleNet":
        """Load what torch's optimizers load on first use, some 800 modules, before making one."""
        with interrupts_wait():
            import torch._dynamo  # noqa: F401
        return super().initialize_optimizer(*args, **kwargs)

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train without starting anew."""
        with interrupts_reach_caller():
            return super().partial_fit(X, y, classes=classes, **fit_params)
