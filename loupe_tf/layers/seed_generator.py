import keras
from keras import ops


@keras.saving.register_keras_serializable(package="loupe_tf")
class ReplicaSeedGenerator(keras.random.SeedGenerator):
    """A seed generator that draws different numbers on each replica.

    Under `tf.distribute.MirroredStrategy`, Keras's own generator gives every
    replica the same seed, so B images on R replicas would see only B / R
    different masks. On one device, both generators draw the same numbers.
    """

    def next(self, ordered=True):
        """Return the next seed, offset by the number of the replica."""
        seed = super().next(ordered)
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            context = tf.distribute.get_replica_context()
            if context is not None and context.num_replicas_in_sync > 1:
                replica = tf.cast(context.replica_id_in_sync_group, seed.dtype)
                seed += tf.stack([replica * 1000003, tf.zeros_like(replica)])
        return seed


class SavesSeedState:
    """Mixin for layers that save the state of their `seed_generator`.

    Keras does not save it: a resumed run would draw the same numbers again.
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
