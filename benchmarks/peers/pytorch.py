"""BiGAN in PyTorch, written for speed: eager or compiled, float32 or bfloat16 autocast.

Optimised for PyTorch: no `DataLoader` (whole batches are indexed from a tensor in memory, which is
cheaper), the fused Adam, channels-last feature maps, and gradients only of the weights that each
loss updates.
"""

import time
from collections.abc import Iterator
from itertools import islice, pairwise

import numpy as np
import torch
import torch._functorch.config
from torch import nn
from torch.nn import functional as F

from benchmarks.setting import ADAM, Setting

# Keras keeps kernels as [in, out] and [kh, kw, in, out] (transposed: [kh, kw, out, in]), PyTorch as
# [out, in] and [out, in, kh, kw] (transposed: [in, out, kh, kw]).
TO_PYTORCH = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}
TO_KERAS = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}
# (whether in a batch norm, PyTorch's name) -> Keras's name.
KIND = {
    (False, "weight"): "kernel",
    (False, "bias"): "bias",
    (True, "weight"): "gamma",
    (True, "bias"): "beta",
}


def uniform_code(logits: torch.Tensor) -> torch.Tensor:
    return torch.tanh(0.5 * logits)  # = 2σ(logits) - 1


class MLPGenerator(nn.Module):
    def __init__(self, setting: Setting):
        super().__init__()
        self.image_shape, width = setting.image_shape, setting.width
        self.dense1 = nn.Linear(setting.latent, width, bias=False)
        self.norm1 = nn.BatchNorm1d(width, eps=1e-8, affine=False)
        self.dense2 = nn.Linear(width, width, bias=False)
        self.condition2 = nn.Linear(setting.latent, width, bias=False)
        self.norm2 = nn.BatchNorm1d(width, eps=1e-8, affine=False)
        self.pixels = nn.Linear(width, int(np.prod(self.image_shape)), bias=False)

    def forward(self, z):
        h = F.relu(self.norm1(self.dense1(z)))
        h = F.relu(self.norm2(self.dense2(h) + self.condition2(z)))
        return torch.sigmoid(self.pixels(h).float()).unflatten(1, self.image_shape)


class MLPEncoder(nn.Module):
    def __init__(self, setting: Setting):
        super().__init__()
        width = setting.width
        self.dense1 = nn.Linear(int(np.prod(setting.image_shape)), width, bias=False)
        self.dense2 = nn.Linear(width, width, bias=False)
        self.norm2 = nn.BatchNorm1d(width, eps=1e-8, affine=False)
        self.latent = nn.Linear(width, setting.latent, bias=False)

    def logits(self, x):
        h = F.leaky_relu(self.dense1(x.flatten(1)), 0.2)
        h = F.leaky_relu(self.norm2(self.dense2(h)), 0.2)
        return self.latent(h).float()

    def forward(self, x):
        return uniform_code(self.logits(x))


class MLPDiscriminator(nn.Module):
    def __init__(self, setting: Setting):
        super().__init__()
        width = setting.width
        self.dense1 = nn.Linear(int(np.prod(setting.image_shape)), width, bias=False)
        self.dense2 = nn.Linear(width, width, bias=False)
        self.condition2 = nn.Linear(setting.latent, width, bias=False)
        self.norm2 = nn.BatchNorm1d(width, eps=1e-8, affine=False)
        self.logit = nn.Linear(width, 1, bias=False)

    def forward(self, x, z):
        h = self.dense2(F.leaky_relu(self.dense1(x.flatten(1)), 0.2)) + self.condition2(z)
        return self.logit(F.leaky_relu(self.norm2(h), 0.2)).float()


class DCGANGenerator(nn.Module):
    """28×28 images through 4×4, 7×7 and 14×14 feature maps."""

    def __init__(self, setting: Setting):
        super().__init__()
        c = setting.width
        self.project = nn.Linear(setting.latent, 4 * 4 * 4 * c, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(n) for n in (4 * c, 2 * c, c)])
        channels = [4 * c, 2 * c, c, setting.image_shape[2]]
        self.convs = nn.ModuleList(
            nn.ConvTranspose2d(channels[i], channels[i + 1], 4, 2, 1, bias=i == 2) for i in range(3)
        )

    def forward(self, z):
        h = self.project(z).unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)
        for size, norm, conv in zip((7, 14, 28), self.norms, self.convs, strict=True):
            h = conv(F.relu(norm(h)))[:, :, :size, :size]
        return torch.sigmoid(h.float()).permute(0, 2, 3, 1)


def tower(setting: Setting) -> nn.Sequential:
    """28×28 images to 4×4 feature maps, flattened channels-last."""
    c = setting.width
    return nn.Sequential(
        nn.Conv2d(setting.image_shape[2], c, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(c, 2 * c, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * c),
        nn.LeakyReLU(0.2),
        nn.ZeroPad2d((1, 2, 1, 2)),  # 7×7 to 4×4, as TensorFlow's "same" pads
        nn.Conv2d(2 * c, 4 * c, 4, 2, bias=False),
        nn.BatchNorm2d(4 * c),
        nn.LeakyReLU(0.2),
    )


def flat_maps(tower: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """x [B, H, W, C] in [0, 1] -> [B, features]."""
    return tower(2.0 * x.permute(0, 3, 1, 2) - 1.0).permute(0, 2, 3, 1).flatten(1)


class DCGANEncoder(nn.Module):
    def __init__(self, setting: Setting):
        super().__init__()
        self.tower = tower(setting)
        self.latent = nn.Linear(4 * 4 * 4 * setting.width, setting.latent)

    def logits(self, x):
        return self.latent(flat_maps(self.tower, x)).float()

    def forward(self, x):
        return uniform_code(self.logits(x))


class DCGANDiscriminator(nn.Module):
    def __init__(self, setting: Setting):
        super().__init__()
        self.tower = tower(setting)
        self.joint = nn.Linear(4 * 4 * 4 * setting.width, setting.hidden, bias=False)
        self.norm = nn.BatchNorm1d(setting.hidden)
        self.condition = nn.Linear(setting.latent, setting.hidden, bias=False)
        self.logit = nn.Linear(setting.hidden, 1)

    def forward(self, x, z):
        h = self.norm(self.joint(flat_maps(self.tower, x)) + self.condition(z))
        return self.logit(F.leaky_relu(h, 0.2)).float()


class ConvGenerator(nn.Module):
    """The library's default networks, for images whose sides are even down to the smallest map."""

    def __init__(self, setting: Setting):
        super().__init__()
        self.base = setting.maps()[-1]
        self.project = nn.Linear(setting.latent, int(np.prod(self.base)), bias=False)
        channels = conv_channels(setting)[::-1]
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) for n in channels[:-1])
        self.convs = nn.ModuleList(
            nn.ConvTranspose2d(n, m, 4, 2, 1, bias=False) for n, m in pairwise(channels[:-1])
        )
        width, image = channels[-2:]
        self.convs.append(
            nn.Sequential(nn.UpsamplingNearest2d(scale_factor=2), nn.Conv2d(width, image, 5, 1, 2))
            if image > 1
            else nn.ConvTranspose2d(width, image, 4, 2, 1)
        )

    def forward(self, z):
        h = self.project(z).unflatten(1, self.base).permute(0, 3, 1, 2)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            h = conv(F.relu(norm(h)))
        return torch.sigmoid(h.float()).permute(0, 2, 3, 1)


def conv_channels(setting: Setting) -> list[int]:
    """Of the image and of its maps, from the largest on."""
    return [setting.image_shape[2], *(channels for _, _, channels in setting.maps())]


def conv_tower(setting: Setting, norm: bool) -> nn.Sequential:
    """Images to the smallest map."""
    tower = nn.Sequential()
    for i, (n, m) in enumerate(pairwise(conv_channels(setting))):
        normed = norm and i > 0
        tower.append(nn.Conv2d(n, m, 4, 2, 1, bias=not normed))
        tower.extend([nn.BatchNorm2d(m)] if normed else [])
        tower.append(nn.LeakyReLU(0.2))
    return tower


class ConvEncoder(nn.Module):
    def __init__(self, setting: Setting):
        super().__init__()
        self.tower = conv_tower(setting, norm=True)
        self.dense = nn.Linear(int(np.prod(setting.maps()[-1])), setting.hidden, bias=False)
        self.norm = nn.BatchNorm1d(setting.hidden)
        self.latent = nn.Linear(setting.hidden, setting.latent)

    def logits(self, x):
        h = F.leaky_relu(self.norm(self.dense(flat_maps(self.tower, x))), 0.2)
        return self.latent(h).float()

    def forward(self, x):
        return uniform_code(self.logits(x))


class ConvDiscriminator(nn.Module):
    def __init__(self, setting: Setting):
        super().__init__()
        hidden = setting.hidden
        self.tower = conv_tower(setting, norm=False)
        self.dense = nn.Linear(int(np.prod(setting.maps()[-1])), hidden)
        self.latent = nn.Linear(setting.latent, hidden)
        self.condition = nn.Linear(hidden, hidden, bias=False)
        self.joint = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(2))
        self.logit = nn.Linear(hidden, 1)

    def forward(self, x, z):
        h = self.dense(flat_maps(self.tower, x))
        h = F.leaky_relu(h + self.condition(F.leaky_relu(self.latent(z), 0.2)), 0.2)
        for layer in self.joint:
            h = F.leaky_relu(layer(h), 0.2)
        return self.logit(h).float()


NETWORKS = {
    "paper": {
        "generator": MLPGenerator,
        "encoder": MLPEncoder,
        "discriminator": MLPDiscriminator,
    },
    "dcgan": {
        "generator": DCGANGenerator,
        "encoder": DCGANEncoder,
        "discriminator": DCGANDiscriminator,
    },
    "conv": {
        "generator": ConvGenerator,
        "encoder": ConvEncoder,
        "discriminator": ConvDiscriminator,
    },
}


class Peer:
    """The training script around the networks.

    l2: coupled weight decay of all weights.
    """

    def __init__(
        self,
        setting: Setting,
        images: np.ndarray,
        bfloat16: bool,
        compiled: bool,
        l2: float = 0.0,
    ):
        self.setting, self.bfloat16, self.l2 = setting, bfloat16, l2
        self.images = torch.from_numpy(images)
        self.networks = {
            role: network(setting).to(memory_format=torch.channels_last)
            for role, network in NETWORKS[setting.networks].items()
        }
        self.generator, self.encoder, self.discriminator = self.networks.values()
        self.d_weights = list(self.discriminator.parameters())
        self.eg_weights = [*self.encoder.parameters(), *self.generator.parameters()]
        self.optimizers = [self._adam(self.d_weights), self._adam(self.eg_weights)]
        if compiled:
            # Buffers donated by one backward pass would be missing in the other.
            torch._functorch.config.donated_buffer = False
            for network in self.networks.values():
                network.compile()

    def _adam(self, parameters) -> torch.optim.Adam:
        betas = (ADAM["beta_1"], ADAM["beta_2"])
        return torch.optim.Adam(
            parameters,
            ADAM["learning_rate"],
            betas=betas,
            eps=ADAM["epsilon"],
            weight_decay=self.l2,
            fused=True,
        )

    def losses(self, x: torch.Tensor, z: torch.Tensor):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            real = self.discriminator(x, self.encoder(x))
            fake = self.discriminator(self.generator(z), z)
        loss_d = 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())
        loss_eg = 0.5 * (F.softplus(real).mean() + F.softplus(-fake).mean())
        return loss_d, loss_eg

    def backward(self, x: torch.Tensor, z: torch.Tensor):
        """All gradients from the same weights, into `.grad`; the losses."""
        loss_d, loss_eg = self.losses(x, z)
        loss_d.backward(inputs=self.d_weights, retain_graph=True)
        loss_eg.backward(inputs=self.eg_weights)
        return loss_d, loss_eg

    def step(self, x: torch.Tensor, z: torch.Tensor):
        """One simultaneous update."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        self.backward(x, z)
        for optimizer in self.optimizers:
            optimizer.step()

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Endless (x, z): passes over the images, each in a new order."""
        batch = self.setting.batch
        while True:
            order = torch.randperm(len(self.images))
            for first in range(0, len(order) - batch + 1, batch):
                x = self.images[order[first : first + batch]].float() / 255.0
                yield x, 2.0 * torch.rand(batch, self.setting.latent) - 1.0

    def seconds_of(self, steps: int) -> float:
        start = time.perf_counter()
        for x, z in islice(self.batches(), steps):
            self.step(x, z)
        return time.perf_counter() - start

    def train(self, after):
        for number, (x, z) in enumerate(self.batches(), 1):
            self.step(x, z)
            if after(number):
                return

    # --- evaluation, in float32 ---------------------------------------------------------------

    @torch.no_grad()
    def recalibrate(self, steps: int):
        norms = [
            module
            for network in (self.encoder, self.generator)
            for module in network.modules()
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))
        ]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain average
        for x, z in islice(self.batches(), steps):
            self.encoder(x)
            self.generator(z)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    @torch.no_grad()
    def _evaluated(self, function, array: np.ndarray) -> np.ndarray:
        for network in self.networks.values():
            network.eval()
        result = function(torch.from_numpy(array)).numpy()
        for network in self.networks.values():
            network.train()
        return result

    def generate(self, z: np.ndarray) -> np.ndarray:
        return self._evaluated(self.generator, z)

    def encode(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {"e": self._evaluated(self.encoder.logits, x)}

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        return self._evaluated(lambda images: self.generator(self.encoder(images)), x)

    # --- equal weights ----------------------------------------------------------------------

    def weights(self) -> dict[str, list[torch.Tensor]]:
        return {
            role: [
                parameter
                for kind in ("beta", "bias", "gamma", "kernel")
                for module in network.modules()
                for name, parameter in module.named_parameters(recurse=False)
                if KIND[isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)), name] == kind
            ]
            for role, network in self.networks.items()
        }

    def load(self, weights: dict[str, list[np.ndarray]]):
        with torch.no_grad():
            for role, parameters in self.weights().items():
                for parameter, array in zip(parameters, weights[role], strict=True):
                    value = torch.tensor(array.transpose(TO_PYTORCH[array.ndim]))
                    assert parameter.shape == value.shape, (role, parameter.shape, value.shape)
                    parameter.copy_(value)

    def losses_and_gradients(self, x: np.ndarray, z: np.ndarray):
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss_d, loss_eg = self.backward(torch.from_numpy(x), torch.from_numpy(z))
        gradients = {
            role: [p.grad.numpy().transpose(TO_KERAS[p.ndim]) for p in parameters]
            for role, parameters in self.weights().items()
        }
        return {"D": loss_d.item(), "EG": loss_eg.item()}, gradients
