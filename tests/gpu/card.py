"""The card that these tests run on; where there is none they skip."""

import pytest
import torch

NAME = "cuda:0"

# None of these tests has run on a card yet: each is a check for the first that does.
NEEDS_CARD = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device answers to torch"),
]
