"""The GPU that these tests run on. Without a GPU they skip."""

import pytest
import torch

NAME = "cuda:0"

NEEDS_CARD = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device answers to torch"),
]
