from loupe_tf.distribution.multi_worker_trainer import MultiWorkerTrainer


class OneProcessTrainer:
    """`MultiWorkerTrainer` for a model whose own `fit` and `evaluate` work."""

    is_chief = True

    def __init__(self, model):
        self.model = model

    def fit(self, train, **arguments):
        return self.model.fit(train, shuffle=False, **arguments)

    def evaluate(self, data, batch_size=None):
        x, y = data if isinstance(data, tuple | list) else (data, None)
        return self.model.evaluate(
            x, y, batch_size=batch_size, verbose=0, return_dict=True
        )

    def wait_for_all(self):
        pass


def trainer_of(model):
    """Return the trainer of a model for the strategy it was built in."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        strategy = model.distribute_strategy
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return MultiWorkerTrainer(model)
    return OneProcessTrainer(model)
