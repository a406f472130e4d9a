"""Surfaces with defects, made of scikit-learn's two photographs.

Patches of a flower's petals, a lake with boats, and trees; in some of them a disc of the other
photograph, a scratch, or a dark stain. Places and sizes are random, from a fixed seed. Images are
float32 in [0, 1].
"""

import numpy as np

SIDE = 64  # pixels of a patch, which is then halved
NORMAL, DEFECTIVE = 800, 200
# (photograph, the other one, rows and columns of the corners of patches)
PLACES = {
    "petals": (1, 0, (120, 205), (230, 320)),
    "lake": (0, 1, (150, 300), (330, 500)),
    "trees": (0, 1, (330, 360), (0, 570)),
}


def surface(name: str) -> tuple[np.ndarray, np.ndarray]:
    """(images [N, SIDE / 2, SIDE / 2, 3], 0 for the `NORMAL` and 1 for the `DEFECTIVE` ones)."""
    from sklearn.datasets import load_sample_images

    photograph, other, rows, columns = PLACES[name]
    photographs = load_sample_images().images
    rng = np.random.default_rng(0)
    corners = rng.integers((rows[0], columns[0]), (rows[1], columns[1]), (NORMAL + DEFECTIVE, 2))
    patches = np.stack([patch(photographs[photograph], *corner) for corner in corners])
    for i in range(NORMAL, len(patches)):
        patches[i] = damaged(patches[i], photographs[other], rng)
    halved = patches.reshape(-1, SIDE // 2, 2, SIDE // 2, 2, 3).mean((2, 4), dtype=np.float32)
    return halved / np.float32(255), np.repeat([0, 1], [NORMAL, DEFECTIVE])


def patch(photograph: np.ndarray, row: int, column: int) -> np.ndarray:
    """uint8 [SIDE, SIDE, 3]."""
    return photograph[row : row + SIDE, column : column + SIDE]


def damaged(image: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A patch with one of the three defects."""
    image = image.copy()
    row, column = rng.uniform(0.2 * SIDE, 0.8 * SIDE, 2)
    y, x = np.mgrid[:SIDE, :SIDE] - np.array([row, column]).reshape(2, 1, 1)
    disc = y**2 + x**2 < (rng.uniform(0.08, 0.2) * SIDE) ** 2
    defect = rng.choice(["disc", "scratch", "stain"])
    if defect == "disc":
        image[disc] = patch(other, *rng.integers(0, 300, 2))[disc]
    elif defect == "stain":
        image[disc] = (0.55 * image[disc]).astype(np.uint8)
    else:
        cos, sin = np.cos(angle := rng.uniform(0, np.pi)), np.sin(angle)
        line = (np.abs(x * sin - y * cos) < 0.02 * SIDE) & (np.abs(x * cos + y * sin) < 0.35 * SIDE)
        image[line] = rng.integers(0, 256, 3)
    return image
