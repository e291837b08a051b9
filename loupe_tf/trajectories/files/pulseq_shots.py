"""The gradients of shots as Pulseq events."""

import dataclasses
import math

import numpy as np

from loupe_tf.trajectories.hardware import Hardware

# Digits of a gradient's amplitude in a file; its shape has more. All positions
# of a shot scale with it, so peaks are moved to numbers of so many digits.
DIGITS = 6


@dataclasses.dataclass
class PulseqShots:
    """The gradients of all shots, with ramps that all take the same time."""

    pp: object
    system: object
    hardware: Hardware
    trajectory: object

    def __post_init__(self):
        pp, system, trajectory = self.pp, self.system, self.trajectory
        dwell, samples = trajectory.dwell, trajectory.samples
        # In Hz/m and 1/m, (H, W).
        factor = self.hardware.gamma / 1000
        self.nodes = factor * self.hardware.waveform(trajectory)
        ends = np.linalg.norm(self.nodes[:, [0, -1]], axis=-1).max()
        raster = system.grad_raster_time
        least = max(
            ends / self._share() / system.max_slew, system.adc_dead_time
        )
        self.ramp = max(math.ceil(least / raster - 1e-6), 1) * raster
        self.duration = 2 * self.ramp + samples * dwell
        # The gradient is constant from the first node to the first sample.
        way = (self.ramp + dwell) / 2
        metres = np.array(trajectory.voxel_size) / 1000
        self.first = (
            trajectory.positions[:, 0] / metres - way * self.nodes[:, 0]
        )
        self.last = (
            trajectory.positions[:, -1] / metres + way * self.nodes[:, -1]
        )
        radii = np.linalg.norm(trajectory.positions, axis=-1).mean(axis=0)
        self.echo = self.ramp + (int(radii.argmin()) + 0.5) * dwell
        self.receiver = pp.make_adc(
            samples, dwell=dwell, delay=self.ramp, system=system
        )

    def gradients(self, shot):
        """Make the gradients of a shot."""
        dwell = self.trajectory.dwell
        times = self.ramp + dwell * np.arange(self.nodes.shape[1])
        times = np.concatenate([[0], times, [self.duration]])
        return [
            self._shape(channel, times, np.pad(self.nodes[shot, :, axis], 1))
            for channel, axis in (("x", 1), ("y", 0))
        ]

    def lobes(self, areas, along_slice):
        """Make lobes of these areas, `(shots, 2)`, all of one duration."""
        pp, system = self.pp, self.system
        share = 0.999 * self._share()  # Peaks are rounded.
        limits = {
            "max_grad": share * system.max_grad,
            "max_slew": share * system.max_slew,
            "system": system,
        }
        areas = [{"x": x, "y": y, "z": along_slice} for y, x in areas.tolist()]
        largest = {c: max(abs(a[c]) for a in areas) for c in "xyz"}
        duration = max(
            pp.calc_duration(pp.make_trapezoid(c, area=area, **limits))
            for c, area in largest.items()
        )
        duration += 2 * system.grad_raster_time  # Each has a flat part.
        return [
            [
                self._lobe(
                    pp.make_trapezoid(c, area=area, duration=duration, **limits)
                )
                for c, area in each.items()
            ]
            for each in areas
        ]

    def _lobe(self, trapezoid):
        """Tilt the flat part: a larger peak has the same area."""
        begin = trapezoid.rise_time
        end = begin + trapezoid.flat_time
        mean = trapezoid.amplitude
        peak = round_up(mean)
        if not mean or not trapezoid.flat_time:
            return trapezoid
        return self.pp.make_extended_trapezoid(
            trapezoid.channel,
            times=np.array([0, begin, end, end + trapezoid.fall_time]),
            amplitudes=np.array([0, peak, 2 * mean - peak, 0]),
            system=self.system,
        )

    def _shape(self, channel, times, amplitudes):
        """Make a gradient whose peak has `DIGITS` digits, if limits allow."""
        make = self.pp.make_extended_trapezoid
        arguments = {"times": times, "system": self.system}
        # Ramps are no samples, and first and last node are like the next.
        peak = 2 + int(np.abs(amplitudes[2:-2]).argmax())
        raised = amplitudes.copy()
        if len(amplitudes) > 6:
            more = round_up(amplitudes[peak]) - amplitudes[peak]
            raised[peak - 1 : peak + 2] += np.array([-0.5, 1, -0.5]) * more
            raised[peak] = round_up(amplitudes[peak])
        try:
            return make(channel, amplitudes=raised, **arguments)
        except ValueError:
            return make(channel, amplitudes=amplitudes, **arguments)

    def _share(self):
        """Return the share of a limit that each of three axes may use."""
        return 1 if self.hardware.by == "axis" else 1 / math.sqrt(3)


def round_up(value):
    """Round away from 0 to `DIGITS` digits."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) + 1 - DIGITS)
    rounded = math.ceil(abs(value) / unit - 1e-9) * unit
    return math.copysign(float(f"{rounded:.{DIGITS}g}"), value)
