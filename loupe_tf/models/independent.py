"""Configurations whose objects are nobody else's."""

import itertools

_numbers = itertools.count()


def independent(config):
    """Return a copy of a configuration that makes objects of its own.

    While Keras loads a model, it marks the second configuration of an object
    with a `shared_object_id`, and takes configurations with one id for one
    object. Copies of a network, made of several calls of its `get_config()`,
    would then share their layers and their weights. New ids keep what is shared
    within one configuration, and nothing between two.

    Args:
        config: Dictionary from `get_config()` or
            `keras.saving.serialize_keras_object`.
    """
    number = next(_numbers)

    def copied(value):
        if isinstance(value, dict):
            value = {key: copied(each) for key, each in value.items()}
            if "shared_object_id" in value:
                value["shared_object_id"] = (number, value["shared_object_id"])
            return value
        if isinstance(value, (list, tuple)):
            return [copied(each) for each in value]
        return value

    return copied(config)
