"""Agreement between the workers of a cluster."""

import functools
import zlib

import tensorflow as tf

from tf_bigan.errors import UserError


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes files: always true, unless there are several workers."""
    if not _several_workers(strategy):
        return True
    task = strategy.cluster_resolver
    has_chief = "chief" in task.cluster_spec().jobs
    return task.task_type == "chief" or not has_chief and task.task_id == 0


def over_workers(value: int, strategy: tf.distribute.Strategy) -> list[int]:
    """The `value` of every replica's worker, the same list on all of them.

    All workers must call it, and all wait. Call it outside the strategy's scope.
    """
    if not _several_workers(strategy):
        return [value]

    values = _gather(strategy)(tf.constant(int(value), tf.int64))
    return strategy.experimental_local_results(values)[0].numpy().tolist()


@functools.cache
def _gather(strategy):
    def in_replica(value):
        context = tf.distribute.get_replica_context()
        own = tf.one_hot(
            context.replica_id_in_sync_group, context.num_replicas_in_sync, value, dtype=tf.int64
        )
        return context.all_reduce("SUM", own)

    return tf.function(lambda value: strategy.run(in_replica, args=(value,)))


def check_same(text: str, what: str, strategy: tf.distribute.Strategy):
    """Raises UserError on every worker unless all of them give the same text."""
    if len(set(over_workers(zlib.crc32(text.encode()), strategy))) > 1:
        raise UserError(f"the workers differ in {what}")


def _several_workers(strategy) -> bool:
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) and bool(
        strategy.cluster_resolver.cluster_spec().as_dict()
    )
