import numpy as np

from experiments.nested_batches import nested_batches


def test_nested_batches_draw_another_r_in_each_epoch(images):
    batches = nested_batches(images, 2, batch_size=3, seed=0)
    drawn = []
    for epoch in (0, 1, 0):
        batches.set_epoch(epoch)
        index = np.empty(len(images), int)
        for i in range(len(batches)):
            (inputs, numbers), targets = batches[i]
            np.testing.assert_array_equal(inputs, targets)
            index[batches.rows(i)] = numbers
        drawn.append(index.tolist())
    assert drawn[0] == drawn[2] != drawn[1]
    assert set(drawn[0]) == {0, 1}
