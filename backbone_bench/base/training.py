"""A training step's parts that counting and measuring share: the outputs to differentiate, and the optimizers."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from backbone_bench.base.choices import Optimizer
from backbone_bench.base.errors import UserError
from backbone_bench.base.pytree import tensors_of

# The learning rate is 0: the arithmetic is the same, and the weights stay as they are. `foreach` is what torch chooses
# on a GPU; the momentum and the weight decay of SGD are those of the ResNet paper.
OPTIMIZERS: Mapping[Optimizer, Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]] = {
    "sgd": partial(torch.optim.SGD, lr=0.0, momentum=0.9, weight_decay=1e-4, foreach=True),
    "adamw": partial(torch.optim.AdamW, lr=0.0, foreach=True),
}


def differentiable(output: object) -> list[Tensor]:
    """Return the tensors of a model's output that a backward pass starts from.

    Raises UserError if there is none.
    """
    found = [tensor for tensor in tensors_of(output) if tensor.requires_grad]
    if not found:
        raise UserError(
            "There is nothing to train: no output depends on a parameter that requires a gradient. Leave out --train."
        )
    return found
