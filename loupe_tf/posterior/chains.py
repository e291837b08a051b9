"""The state of chains: started, moved level by level, kept in a file."""

import hashlib
import pathlib
import zipfile

import numpy as np
from keras import ops
from tqdm import tqdm

from loupe_tf import atomic
from loupe_tf.checks import invalid
from loupe_tf.posterior.compiling import compiled
from loupe_tf.posterior.flow import flow, flow_to_zero

# Bytes of random numbers for one call of the compiled loop.
LARGEST = 64e6


class Chains:
    """Chains of one posterior, moved by one method.

    Random numbers depend on the seed, the image, the chain and the level alone.
    So a chain is the same however many others there are, and whether it was
    interrupted.

    Args:
        posterior: `TemperedPosterior`.
        method: `Langevin`, `HMC`, or an object with the same methods.
        chains: Integer, chains of each image.
        seed: Integer.
        start: (Optional) array `(chains · batch, H, W, 2)` to start from. By
            default chains start as noise of the first level.
    """

    def __init__(self, posterior, method, chains, seed, start=None):
        self.posterior = posterior
        self.method = method
        self.seed = seed
        self._start = start
        self.batch, *image = posterior.shape
        self.image = tuple(image)
        self.chains = chains
        self.count = chains * self.batch
        self._run = compiled(self._steps)
        self._flow = compiled(lambda x, *s: flow(posterior, x, *s))
        self._rest = compiled(lambda x, *s: flow_to_zero(posterior, x, *s))

    def start(self, level):
        """Return the first state: images, and what the method keeps."""
        x = self._start
        if x is None:
            noise = [
                rng.standard_normal(self.image, "float32")
                for rng in self._generators(0)
            ]
            x = np.float32(level) * np.stack(noise)
        return (x, *self.method.start(x.shape))

    def advance(self, state, index, level):
        """Return the state after all steps at a level."""
        generators = self._generators(index + 1)
        chunk = self._chunk()
        state = tuple(ops.convert_to_tensor(value) for value in state)
        level = ops.convert_to_tensor(level, "float32")
        for _ in range(self.method.steps // chunk):
            state = self._run(level, state, self._draw(generators, chunk))
        return _to_numpy(state)

    def denoise(self, x, level, next_level):
        """Follow the probability flow from a level to the next one, or to 0."""
        level, next_level = float(level), float(next_level)
        # In as many steps as a scan of large norm needs.
        stiffness = level**2 * float(self.posterior.steepness(level))
        x = ops.convert_to_tensor(x)
        if next_level == 0:
            steps = max(1, int(np.ceil(0.5 * stiffness)))
            for _ in range(steps):
                x = self._rest(x, *_scalars(level, 1 / steps))
            return ops.convert_to_numpy(x)
        way = np.log(level / next_level)
        steps = max(1, int(np.ceil(way * stiffness)))
        between = np.geomspace(level, next_level, steps + 1)
        for pair in zip(between[:-1], between[1:]):
            x = self._flow(x, *_scalars(*pair))
        return ops.convert_to_numpy(x)

    def _steps(self, level, state, draws):
        def body(i, state):
            x, kept = self.method.move(
                self.posterior,
                state[0],
                level,
                tuple(state[1:]),
                *(each[i] for each in draws),
            )
            return (x, *kept)

        return ops.fori_loop(0, draws[0].shape[0], body, state)

    def _generators(self, stage):
        """Return the generator of each chain at a stage."""
        return [
            np.random.default_rng([self.seed, image, chain, stage])
            for chain in range(self.chains)
            for image in range(self.batch)
        ]

    def _draw(self, generators, steps):
        """Draw for some steps: a tuple of tensors `(steps, chains, ...)`."""
        draws = [
            [self.method.draw(rng, self.image) for rng in generators]
            for _ in range(steps)
        ]
        return tuple(
            ops.convert_to_tensor(
                np.array(
                    [[each[i] for each in step] for step in draws], "float32"
                )
            )
            for i in range(len(draws[0][0]))
        )

    def _chunk(self):
        """Return how many steps one call does: a divisor of all steps."""
        step = 4 * self.count * np.prod(self.image)
        most = max(1, int(LARGEST // step))
        steps = self.method.steps
        return max(
            n for n in range(1, steps + 1) if n <= most and not steps % n
        )


def run(chains, levels, final_levels, file=None, progress=False):
    """Take chains through all levels, and return their state.

    Args:
        chains: `Chains`.
        levels: Array of levels, falling.
        final_levels: Array of levels of the probability flow that follows,
            from the last of `levels` on; one level means no flow.
        file: (Optional) path of a file to keep the state in after each level
            and to go on from.
        progress: Boolean, whether to show a progress bar.
    """
    mark = _fingerprint(chains, levels, final_levels)
    done, state = 0, None
    if file is not None:
        done, state = _load(file, mark)
    if state is None:
        state = chains.start(levels[0])
    steps = len(levels) + len(final_levels) - 1
    with tqdm(
        total=steps, initial=done, disable=not progress, unit="level"
    ) as bar:
        for index in range(done, steps):
            if index < len(levels):
                state = chains.advance(state, index, levels[index])
            else:
                first = index - len(levels)
                pair = final_levels[first : first + 2]
                state = (chains.denoise(state[0], *pair), *state[1:])
            if not np.isfinite(state[0]).all():
                raise FloatingPointError(
                    f"A chain is no longer finite after {index + 1} of {steps} "
                    "levels. Use shorter steps, or a score that is trained at "
                    "these levels."
                )
            if file is not None:
                _save(file, mark, index + 1, state)
            bar.update()
    return state


def _scalars(*values):
    return [ops.convert_to_tensor(value, "float32") for value in values]


def _to_numpy(state):
    return tuple(np.array(ops.convert_to_numpy(value)) for value in state)


def _save(file, mark, done, state):
    with atomic.written_aside(file) as partial, open(partial, "wb") as stream:
        np.savez(stream, *state, mark=mark, done=done)


def _load(file, mark):
    """Return the number of levels that are done, and the state."""
    path = pathlib.Path(file)
    if not path.exists():
        return 0, None
    try:
        with np.load(path, allow_pickle=False) as held:
            found, done = str(held["mark"]), int(held["done"])
            state = tuple(held[f"arr_{i}"] for i in range(len(held.files) - 2))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        found = None
    if found != mark:
        raise invalid(
            "file",
            "a file of the same measurement, score and settings, or a new one",
            file,
        )
    return done, state


def _fingerprint(chains, levels, final_levels):
    """Return a text that differs if anything that chains depend on differs."""
    posterior, method = chains.posterior, chains.method
    # What a scan and a score are shows in what they make of noise.
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(posterior.shape, "float32")
    noise = ops.convert_to_tensor(noise)
    made = [posterior.adjoint, posterior.scan.normal(noise)]
    weights = getattr(posterior.score, "weights", ())
    if not weights:
        ones = ops.ones((posterior.shape[0], 1, 1, 1))
        made += [posterior.score([noise, s * ones]) for s in (0.01, 1.0)]
    arrays = [levels, final_levels, *made, *weights]
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(ops.convert_to_numpy(array)))
    settings = {
        "method": type(method).__name__,
        **{k: str(v) for k, v in sorted(vars(method).items())},
    }
    facts = (chains.seed, chains.chains, posterior.sigma, settings)
    digest.update(repr(facts).encode())
    return digest.hexdigest()
