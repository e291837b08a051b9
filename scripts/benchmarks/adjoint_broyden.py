"""Compare adjoint Broyden with OPA with SHINE, per product by the Jacobian.

SHINE (Ramzi et al., ICLR 2022) also has a forward search whose estimate B of
the Jacobian J is updated from the left,

    B ← B + σ σᵀ (J - B) / (σᵀ σ),    so that σᵀ B = σᵀ J,

Broyden's adjoint method (Schlenkrich, Griewank and Walther, "On the local
convergence of adjoint Broyden methods", Mathematical Programming 2010), with
extra updates in the direction σ = B⁻ᵀ c of the gradient c of the loss: OPA,
outer problem awareness. Each update takes a product by Jᵀ, which is also what a
step of any solver of the adjoint equation takes. So this script counts
products, and
prints the relative error of w = (1 - Jᵀ)⁻¹ c for

- SHINE and as many steps of refinement as products (`Shine(refinement=n)`),
- SHINE and as many OPA updates at the fixed point,
- Broyden's method from w = c, and the phantom gradient,
- adjoint Broyden as the forward search, with OPA in every fifth iteration and
  without; its products are all in the forward search.

    python scripts/benchmarks/adjoint_broyden.py

The maps are x = tanh(W x + b) of --size numbers, with W random, or symmetric
and positive, of the given spectral radius; --seeds of each. It takes seconds.
"""

import sys

import numpy as np

from loupe_tf.command_line import argument_parser

PRODUCTS = (0, 1, 2, 3, 5, 8)
KINDS = ("random", "symmetric")
ITERATIONS = 12
EVERY = 5


def make_map(kind, radius, size, rng):
    """The matrix W, b and c."""
    matrix = rng.normal(size=(size, size)) / np.sqrt(size)
    if kind == "random":
        matrix *= radius / np.abs(np.linalg.eigvals(matrix)).max()
    else:
        basis, _ = np.linalg.qr(matrix)
        values = radius * np.linspace(0, 1, size) ** 2
        matrix = (basis * values) @ basis.T
    return matrix, *rng.normal(size=(2, size))


def broyden(g, x, iterations, inverse=None, tolerance=1e-9):
    """Search g(x) = 0; return x and the estimate of the inverse Jacobian."""
    inverse = -np.eye(len(x)) if inverse is None else inverse
    here = g(x)
    for _ in range(iterations):
        if np.linalg.norm(here) <= tolerance * np.linalg.norm(x + here):
            break
        moved = -inverse @ here
        x = x + moved
        changed, here = g(x) - here, g(x)
        predicted = inverse @ changed
        product = moved @ predicted
        limit = 1e-6 * np.linalg.norm(moved) * np.linalg.norm(predicted)
        if abs(product) > limit:
            update = np.outer(moved - predicted, moved @ inverse)
            inverse = inverse + update / product
    return x, inverse


def adjoint_update(inverse, direction, product):
    """Update H = B⁻¹ so that σᵀ B = σᵀ J, from σ and Jᵀ σ."""
    left, right = inverse @ direction, inverse.T @ product
    scale = product @ left
    if abs(scale) <= 1e-9 * np.linalg.norm(product) * np.linalg.norm(left):
        return inverse
    return inverse - np.outer(left, right - direction) / scale


def adjoint_broyden(g, pull_at, x, iterations, c=None, tolerance=1e-4):
    """Search with updates from the left; with c, also by OPA.

    `pull_at(x)` is the product by the transposed Jacobian of g at x.

    Returns:
        The estimate of the inverse, and the number of products.
    """
    inverse, here, products = -np.eye(len(x)), g(x), 0
    for step in range(1, iterations + 1):
        if np.linalg.norm(here) <= tolerance * np.linalg.norm(x + here):
            break
        x = x - inverse @ here
        here, pull = g(x), pull_at(x)
        directions = [here]
        if c is not None and step % EVERY == 0:
            directions.append(None)
        for direction in directions:
            if direction is None:
                direction = inverse.T @ c
            inverse = adjoint_update(inverse, direction, pull(direction))
            products += 1
    return inverse, products


def errors(kind, radius, size, seed):
    """Relative errors of w by way of finding it, with their products."""
    matrix, b, c = make_map(kind, radius, size, np.random.default_rng(seed))

    def g(x):
        return np.tanh(matrix @ x + b) - x

    def pull_at(x):
        slope = 1 - np.tanh(matrix @ x + b) ** 2
        return lambda v: matrix.T @ (slope * v) - v

    start = np.zeros(size)
    exact_x, _ = broyden(g, start, 300, tolerance=1e-13)
    pull = pull_at(exact_x)
    adjoint = np.stack([pull(unit) for unit in np.eye(size)], -1)
    exact = -np.linalg.solve(adjoint, c)

    def error(w):
        return float(np.linalg.norm(w - exact) / np.linalg.norm(exact))

    _, inverse = broyden(g, start, ITERATIONS, tolerance=1e-4)

    def equation(w):
        return pull(w) + c

    found = {"SHINE + steps": [], "SHINE + OPA": [], "Broyden": []}
    found["phantom"] = []
    shine = -inverse.T @ c
    for count in PRODUCTS:
        refined, _ = broyden(equation, shine, count, inverse.T)
        aware = inverse
        for _ in range(count):
            direction = -aware.T @ c
            aware = adjoint_update(aware, direction, pull(direction))
        alone, _ = broyden(equation, c, count)
        term = phantom = c
        for _ in range(count):
            term = pull(term) + term
            phantom = phantom + term
        ways = refined, -aware.T @ c, alone, phantom
        for way, w in zip(found, ways):
            found[way].append((count, error(w)))
    for way, given in ("forward, OPA", c), ("forward", None):
        aware, count = adjoint_broyden(g, pull_at, start, ITERATIONS, given)
        found[way] = [(count, error(-aware.T @ c))]
    return found


def table(kind, radius, size, seeds):
    """Lines of the means over seeds."""
    each = [errors(kind, radius, size, seed) for seed in range(seeds)]
    lines = [f"{kind}, radius {radius:g}"]
    for way in each[0]:
        means = np.mean([found[way] for found in each], axis=0)
        cells = (f"{count:g}: {value:.3f}" for count, value in means)
        lines.append(f"  {way:<15}" + "  ".join(cells))
    return "\n".join(lines)


def main(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--size", type=int, default=200, help="numbers in x (%(default)s)")
    add("--seeds", type=int, default=8, help="maps of a kind (%(default)s)")
    add("--radii", type=float, nargs="+", default=[0.8, 0.95])
    options = parser.parse_args(arguments)
    for name in ("size", "seeds"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    print("products: relative error of w, means over the maps")
    for kind in KINDS:
        for radius in options.radii:
            print(table(kind, radius, options.size, options.seeds), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
