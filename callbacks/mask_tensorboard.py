import keras
import numpy as np

from loupe_tf import masks, plots
from loupe_tf.checks import check_choice


class MaskTensorBoard(keras.callbacks.Callback):
    """Write the mask, its histogram and a reconstruction to TensorBoard.

    Every `update_freq` epochs it writes an image of the binary mask next to
    the probabilities, a histogram of the probabilities, the slope as a scalar,
    and reconstructions of a few images next to the ground truth. A model with
    several masks (groups or nested masks) gets one image per mask.

    Args:
        log_dir: String, the folder to pass to `tensorboard --logdir`.
        images: Array `(n, H, W, C)` of images to reconstruct, or `None`. For a
            model with several inputs, a list of all inputs.
        update_freq: Integer, number of epochs between writes.
        sampler: String, name of the layer that samples the mask.
        probability: String, name of the layer that outputs the probabilities.
            `None` uses LOUPE's own layer, if the model has one.
        truth: Array `(n, H, W, C)` of target images. Defaults to `images`, or
            to the first of several inputs.

    Raises:
        ImportError: If TensorFlow or TensorBoard is not installed.
        ValueError: When training begins, if the model has no such layer.
    """

    def __init__(
        self,
        log_dir,
        images=None,
        update_freq=1,
        sampler="sampled_mask",
        probability=None,
        truth=None,
    ):
        super().__init__()
        self.log_dir = log_dir
        self.images = images
        is_several = isinstance(images, list | tuple)
        self.truth = truth
        if truth is None:
            self.truth = images[0] if is_several else images
        self.update_freq = update_freq
        self.sampler = sampler
        self.probability = probability

    def on_train_begin(self, logs=None):
        try:
            import tensorboard  # noqa: F401
            import tensorflow as tf
        except ImportError as error:
            raise ImportError(
                "`MaskTensorBoard` needs TensorBoard: "
                'pip install "loupe-tf[tensorboard]"'
            ) from error
        names = [layer.name for layer in self.model.layers]
        if self.probability is None:
            own = [n for n in ("prob_mask_scaled", "prob_mask") if n in names]
            self.probability = own[0] if own else None
        check_choice("sampler", self.sampler, names)
        check_choice("probability", self.probability, [None, *names])
        self._summary = tf.summary
        self._writer = tf.summary.create_file_writer(str(self.log_dir))

    def on_epoch_end(self, epoch, logs=None):
        if epoch % self.update_freq:
            return
        found = masks.from_model(self.model, self.sampler)
        found = found if isinstance(found, tuple) else (found,)
        probability = None
        with self._writer.as_default(step=epoch):
            if self.probability is not None:
                probability = masks.probability_from_model(
                    self.model, self.probability
                )
                self._summary.histogram("mask/probability", probability)
            for number, mask in enumerate(found):
                several = len(found) > 1 and probability is not None
                drawn = probability[number] if several else probability
                self._image(
                    f"mask_{number}" if len(found) > 1 else "mask",
                    plots.mask(mask, drawn),
                )
            if found[0].slope is not None:
                self._summary.scalar("mask/slope", found[0].slope)
            if self.images is not None:
                output = self.model.predict(self.images, verbose=0)
                figure = plots.reconstructions(
                    self.truth, {"reconstruction": output}
                )
                self._image("reconstruction", figure)
        self._writer.flush()

    def on_train_end(self, logs=None):
        self._writer.close()

    def _image(self, name, figure):
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        self._summary.image(name, np.asarray(canvas.buffer_rgba())[None])
