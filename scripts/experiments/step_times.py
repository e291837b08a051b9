"""The time of a training step, and of the gradient in it."""

import time

import numpy as np

STEPS = 9


def times_of_a_batch(model, images):
    """The median times of a training step, and of its gradient.

    The gradient's is the difference to the prediction that follows each step.
    The steps would change the weights: they come last, after all tests.

    Returns:
        A dict of times in milliseconds, by the clock and of the processor.
    """
    steps, gradients = [], []
    for _ in range(STEPS + 1):
        times = [_clocks()]
        for work in (
            lambda: model.train_on_batch(images, images),
            lambda: model.predict_on_batch(images),
        ):
            work()
            times.append(_clocks())
        step, prediction = np.diff(times, axis=0)
        steps.append(step)
        gradients.append(step - prediction)
    # The first compiles.
    step, gradient = (
        np.median(1e3 * np.array(each[1:]), axis=0).round(1).tolist()
        for each in (steps, gradients)
    )
    return {
        "milliseconds": step[0],
        "gradient_milliseconds": gradient[0],
        "step_processor_milliseconds": step[1],
        "processor_milliseconds": gradient[1],
    }


def _clocks():
    return time.perf_counter(), time.process_time()
