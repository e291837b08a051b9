import keras
from keras import ops


@keras.saving.register_keras_serializable(package="loupe_tf")
class ReplicaSeedGenerator(keras.random.SeedGenerator):
    """A seed generator that draws other numbers on each replica.

    Under `tf.distribute.MirroredStrategy` Keras's own generator hands the same
    seed to every replica, so that B images on R replicas would see only B / R
    different masks. On one device it is Keras's own, number for number.
    """

    def next(self, ordered=True):
        """Return the next seed, moved apart by the replica's number."""
        seed = super().next(ordered)
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            context = tf.distribute.get_replica_context()
            if context is not None and context.num_replicas_in_sync > 1:
                replica = tf.cast(context.replica_id_in_sync_group, seed.dtype)
                seed += tf.stack([replica * 1000003, tf.zeros_like(replica)])
        return seed


class SavesSeedState:
    """Mixin for layers with a `seed_generator`, whose state is saved.

    Keras saves no seed states: a resumed run would draw the old numbers again.
    """

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["seed_state"] = ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store):
        values = {key: store[key] for key in store.keys()}
        state = values.pop("seed_state", None)
        super().load_own_variables(values)
        if state is not None:
            self.seed_generator.state.assign(state)
