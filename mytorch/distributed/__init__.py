"""Training in many processes through MPI: gradients summed while the backward pass runs, optimiser state in shards.

Needs mpi4py and an MPI: ``pip install -e ".[distributed]"``. Start a program with ``mpiexec -n 4 python program.py``.
"""

from mytorch.distributed.gradients import DataParallel
from mytorch.distributed.normalization import SyncBatchNorm1d
from mytorch.distributed.randomness import OwnRows
from mytorch.distributed.sharding import ShardedOptimizer
from mytorch.distributed.world import Mismatch, World, start

__all__ = ["DataParallel", "Mismatch", "OwnRows", "ShardedOptimizer", "SyncBatchNorm1d", "World", "start"]
