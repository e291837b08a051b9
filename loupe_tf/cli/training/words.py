"""The words of the report that `loupe-tf train` writes, explained."""

import html
import re

from loupe_tf import report

WORDS = {
    "k-space": "The Fourier transform of the image, whose samples a scanner "
    "acquires.",
    "mask": "Which samples, or lines, of k-space are acquired.",
    "R, acceleration": "1/R of the samples, or lines, of k-space are acquired.",
    "zero-filled": "The image obtained by setting the samples that weren't "
    "acquired to zero, without a network; the maps combine several coils.",
    "aliases": "Shifted copies of the image, of regular gaps between samples. "
    "Those of irregular gaps look like noise.",
    "magnitude": "The size of the complex value of a pixel or sample, without "
    "its phase.",
    "U-Net": "A network of convolutions at several resolutions. It removes "
    "aliases from the zero-filled image.",
    "[a, b]": "The 95 % interval of a mean gain: Student's, over the test "
    "volumes.",
    "central points, central lines": "As many points or lines as the learned "
    "mask has, those nearest to DC. Their image has low resolution, and no "
    "aliases: an easy rival.",
    "CG-SENSE": "With several coils: the image that fits the samples of all "
    "coils best, by 30 conjugate gradients with the maps. It learns nothing; "
    "its regularization λ is chosen for each mask on validation slices.",
    "total variation": "The image that fits the samples and has few edges, a "
    "method of compressed sensing. It learns nothing; its weight λ is chosen "
    "for each mask on validation slices.",
    "peak SNR": "The brightest pixel of the fully sampled, combined image, or "
    "of its volume with --peak-snr, over the standard deviation of the noise "
    "in its real or imaginary part.",
    "Poisson-disc points": "Random points that keep a distance from each "
    "other, denser towards DC.",
    "Gaussian points, Gaussian lines": "Random points or lines, denser towards "
    "DC: a Gaussian density.",
    "regular points, regular lines": "A grid of integer distances through DC, "
    "as on a scanner (2-D CAIPIRINHA or GRAPPA), and the calibration region. "
    "What the grid leaves of the budget lies around DC.",
    "equispaced lines": "Lines with equal gaps, and the calibration region. "
    "Their aliases are far apart, so the maps of several coils separate them.",
    "DC": "The centre of k-space, frequency zero.",
    "calibration region": "The centre of k-space, which is always acquired.",
    "Hermitian": "The sample at -k is the complex conjugate of that at k, as "
    "for all images without a phase.",
    "slope": "Masks of training lie between 0 and 1. The larger the slope of "
    "the sigmoid that makes them, the nearer they are to 0 and 1.",
    "4S": "Self-Shrinking of Sigmoid Slope (Martinini et al., BioCAS 2022) "
    "multiplies the slope whenever the loss stalls.",
    "rounds": "Round one trains with 4S, or a fixed mask. Round two goes on "
    "from its best epoch and lowers the learning rate if the loss stalls.",
    "point-spread function": "The zero-filled image of one bright pixel. Its "
    "side lobes, in percent of the magnitude of its peak, are ringing beside "
    "the peak, or aliases, which the network has to remove.",
    "sensitivity maps": "How strongly each receive coil sees each pixel. "
    "ESPIRiT (Uecker et al., MRM 2014) estimates them from a fully sampled "
    "centre of k-space; espirit_maps is that of this package.",
    "g-factor": "How much several coils amplify the noise where they separate "
    "aliased pixels (Pruessmann et al., MRM 1999); 1 is the least.",
    "PSNR": "Peak signal-to-noise ratio; 1 dB more means a mean squared error "
    "a fifth smaller.",
    "SSIM": "Structural similarity, from local means, variances and "
    "covariances; 1 for equal images.",
    "NMSE": "Squared error over squared image, each summed over all pixels.",
}
# How the page writes those that it does not write as they stand in `WORDS`.
SPELLINGS = {
    "mask": r"\bmasks?\b",
    "aliases": r"\balias(es)?\b",
    "magnitude": r"\bmagnitudes?\b",
    "R, acceleration": r"\bR\b",
    "[a, b]": r"\[-?\d+\.\d+, -?\d+\.\d+\]",
    "central points, central lines": r"central[ _](points|lines)",
    "Poisson-disc points": r"Poisson[- ]disc|poisson_disc",
    "equispaced lines": r"equispaced[ _](lines|ones)",
    "Gaussian points, Gaussian lines": r"Gaussian (points|lines)",
    "regular points, regular lines": r"[Rr]egular[ _](points|lines)",
    "calibration region": r"calibration",
    "rounds": r"[Rr]ound (one|two)",
    "point-spread function": r"point-spread|side lobe",
    "sensitivity maps": r"sensitivity maps|ESPIRiT|espirit_maps",
}


def words_of(sections):
    """The words that the page uses, and those that explain them.

    Args:
        sections: Dict from heading to a list of parts, as for `write_report`.

    Returns:
        Dict, the part of `WORDS` that is needed.
    """
    text = " ".join(
        # The tags hold the pixels of the figures, too.
        html.unescape(re.sub("<[^>]*>", " ", part))
        if isinstance(part, report.Part)
        else part
        for parts in sections.values()
        for part in parts
    )
    used = {}
    while True:
        new = {
            word: meaning
            for word, meaning in WORDS.items()
            if word not in used
            and re.search(SPELLINGS.get(word, re.escape(word)), text)
        }
        if not new:
            return {word: WORDS[word] for word in WORDS if word in used}
        used |= new
        text = " ".join(new.values())
