"""Networks initialised by `lsuv_init` compute with normal numbers, in single and in half precision."""

import pytest
import torch
from torch import nn

from backbone_bench.measure.call.weights import lsuv_init
from backbone_bench.zoo import registry

HALF_MAX, HALF_LEAST = 65504.0, 6.1e-5  # largest and smallest normal number of half precision

# Plain, residual, pre-activation, dense, one-shot aggregation; the deepest of each, and at sizes that leave few pixels.
DEEP = [("vgg19", 32), ("resnet152", 64), ("resnetv2_200", 64), ("densenet201", 64), ("vovnet57", 32)]


def activations(model: nn.Module, image: torch.Tensor) -> dict[str, torch.Tensor]:
    """Outputs of all layers."""
    found: dict[str, torch.Tensor] = {}

    def keep(name):
        return lambda module, args, output: found.__setitem__(name, output.detach().clone())

    hooks = [
        module.register_forward_hook(keep(name)) for name, module in model.named_modules() if not [*module.children()]
    ]
    with torch.inference_mode():
        model(image)
    for hook in hooks:
        hook.remove()
    return found


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return registry.load_all()[name].build().eval()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), DEEP)
def test_a_settled_network_computes_with_ordinary_numbers_on_another_image(name, size):
    model = build(name)
    lsuv_init(model, [torch.empty(8, 3, size, size, device="meta")], {}, batch=8)
    image = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(7))
    for layer, values in activations(model, image).items():
        sizes = values.abs()
        alive = sizes[sizes > 0]
        assert alive.numel() > 0.05 * sizes.numel(), f"{layer} is dead"
        assert float(sizes.max()) < HALF_MAX / 100, layer
        assert float((alive < HALF_LEAST).float().mean()) < 0.02, layer


def test_unsettled_it_computes_with_numbers_that_half_precision_does_not_have():
    values = activations(build("vovnet57"), torch.randn(1, 3, 64, 64))
    fewest = min(float((layer.abs() < HALF_LEAST).float().mean()) for layer in values.values())
    most = max(float((layer.abs() < HALF_LEAST).float().mean()) for layer in values.values())
    assert fewest < 0.01
    assert most == 1


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 5)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.fc(self.drop(self.norm(self.conv(x)).mean((2, 3))))


def initialised(model: nn.Module, seed: int = 0) -> nn.Module:
    lsuv_init(model, [torch.empty(1, 3, 16, 16, device="meta")], {}, seed=seed)
    return model


def test_the_same_seed_settles_the_same_network_the_same():
    torch.manual_seed(1)
    model = Small()
    twin = Small()
    twin.load_state_dict(model.state_dict())
    first, second = initialised(model).state_dict(), initialised(twin).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_each_layer_gives_outputs_of_size_one_and_batch_norm_normal_ones():
    model = initialised(Small())
    image = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    found = activations(model.eval(), image)
    assert float(found["conv"].square().mean()) == pytest.approx(1, rel=1e-3)
    assert float(found["norm"].mean()) == pytest.approx(0, abs=1e-3)
    assert float(found["norm"].var()) == pytest.approx(1, rel=1e-2)


def test_settling_leaves_modes_and_hooks_as_they_were():
    model = Small().train()
    model.norm.eval()
    initialised(model)
    assert (model.training, model.norm.training, model.drop.training) == (True, False, True)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_residual_branch_that_starts_at_zero_is_opened():
    model = Small()
    nn.init.zeros_(model.norm.weight)
    initialised(model)
    assert torch.equal(model.norm.weight, torch.ones(8))


def test_batch_norm_that_sees_one_value_a_channel_divides_by_no_zero():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 6), nn.BatchNorm1d(6), nn.Linear(6, 2))
    initialised(model)
    out = model.eval()(torch.randn(4, 3, 16, 16))
    assert out.abs().max() < 100
