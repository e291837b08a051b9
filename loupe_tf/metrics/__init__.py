"""Image quality: PSNR, NMSE and SSIM, as Keras metrics and as functions.

Images are real tensors, channels last: magnitude `(batch, H, W, 1)` or complex
`(batch, H, W, 2)` = (real, imaginary). PSNR and NMSE compare complex images as
complex numbers; SSIM compares their magnitudes. PSNR and NMSE also accept
volumes `(batch, D, H, W, 1)` or `(batch, D, H, W, 2)`, each treated as a single
image.

The functions return one float32 value per image, `(batch,)`, and also accept
NumPy arrays. The classes average these values over the images. Everything is
computed in float32, also under `mixed_float16`.

A `sample_weight` of the classes, and of `loupe_tf.losses`, is one number per
image: `(batch,)`, with any further axes of length 1. Keras's own `"mse"`
weights pixels, `(batch, H, W)`. There, `(batch,)` fails, or weights columns if
there are as many. **The shape `(batch, 1, 1)` works for both**
(`(batch, 1, 1, 1)` for volumes):

```python
model.compile("adam", loss="mse", weighted_metrics=[loupe_tf.metrics.PSNR()])
model.fit(images, images, sample_weight=weights[:, None, None])
```
"""

from loupe_tf.metrics.nmse import NMSE, nmse
from loupe_tf.metrics.psnr import PSNR, psnr
from loupe_tf.metrics.ssim import SSIM, ssim

__all__ = ["NMSE", "PSNR", "SSIM", "nmse", "psnr", "ssim"]
