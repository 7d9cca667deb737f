"""Prediction: time and energy of a network on a device that is not here, from its counts and a calibration.

A call takes `s·D + l·ops + F/P + G/Pg + B/W`: the reduction depth, the launches, the multiply-adds of dense and of
grouped convolutions, and the bytes of traffic, each at its own price. The prices, their band and the range in which
they hold are a calibration, which is data: `calibrations/` has the shipped ones.
"""

from backbone_bench.predictor.calibration import CalibrationRow, DeviceCalibration
from backbone_bench.predictor.predict import Predicted, Prediction, predict
from backbone_bench.predictor.shipped import choose

__all__ = ["CalibrationRow", "DeviceCalibration", "Predicted", "Prediction", "choose", "predict"]
