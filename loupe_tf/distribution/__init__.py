"""Train on several devices: one process, several processes, or JAX.

The option `--distribute` of the scripts makes a `Distribution`. With your own
`tf.distribute` strategy, you can use `check_fft` and `MultiWorkerTrainer`
without it.
"""

from loupe_tf.distribution.check_fft import check_fft
from loupe_tf.distribution.distribution import Distribution, add_arguments
from loupe_tf.distribution.multi_worker_trainer import MultiWorkerTrainer
from loupe_tf.distribution.replicas import ReplicaError, num_replicas

__all__ = [
    "Distribution",
    "MultiWorkerTrainer",
    "ReplicaError",
    "add_arguments",
    "check_fft",
    "num_replicas",
]
