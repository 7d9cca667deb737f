"""The choice of a power meter for a device."""

from backbone_bench.base.choices import is_host
from backbone_bench.measure.clock import HostClock
from backbone_bench.measure.energy.rapl import host_meter
from backbone_bench.measure.energy.sources import Meter, card_meter
from backbone_bench.measure.nvml.find import card_for
from backbone_bench.records import Known, Missing


def meter_for(device_name: str, *, whole_card: bool = False) -> Known[Meter]:
    """Power meter of a device: NVML for a GPU, RAPL for a CPU. Missing with the reason if there is none."""
    if is_host(device_name):
        return host_meter(HostClock())
    card = card_for(device_name)
    return card if isinstance(card, Missing) else card_meter(card, whole_card=whole_card)
