"""The devices that can be measured, behind one protocol: CPU, torch accelerators, CUDA."""
