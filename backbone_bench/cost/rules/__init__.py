"""Shape rules: the operations of a convolutional network, without running any.

A rule gives the result of an operation on the meta device from shapes alone
and books the operation. Running the real meta kernel would do the same fifteen
times slower, and the first one makes torch load 800 more modules. A rule
answers None for whatever is unusual (mixed types, another memory layout, a
result without elements, an argument it does not know): then the real kernel
runs, under the recorder, and gives the result or torch's own error. The
parameters of a rule are those of torch's function.
"""

from backbone_bench.cost.rules import elementwise, layers, pools, reshaping
from backbone_bench.cost.rules.table import RULES, launches_nothing

__all__ = ["RULES", "launches_nothing"]

del elementwise, layers, pools, reshaping
