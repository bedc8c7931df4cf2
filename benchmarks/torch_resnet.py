"""The peer of `benchmarks.resnet`: ResNet-50 and its training step as a PyTorch user writes them.

It does not use this project. The network is that of the paper, which strides in a block's first convolution, as
Keras's does; torchvision's strides in the second, which is more work. Its convolutions have no biases.
"""

import torch
from torch import nn

DEPTHS = (3, 4, 6, 3)  # blocks of each stage


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut, which is projected where the shape changes."""

    def __init__(self, channels, filters, stride):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)
        self.conv2, self.norm2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters)
        self.conv3, self.norm3 = nn.Conv2d(filters, 4 * filters, 1, bias=False), nn.BatchNorm2d(4 * filters)
        self.relu = nn.ReLU(inplace=True)
        if channels != 4 * filters:
            self.conv0, self.norm0 = (
                nn.Conv2d(channels, 4 * filters, 1, stride, bias=False),
                nn.BatchNorm2d(4 * filters),
            )

    def forward(self, x):
        """(batch, channels, height, width) -> (batch, 4 * filters, height / stride, width / stride)."""
        shortcut = self.norm0(self.conv0(x)) if hasattr(self, "conv0") else x
        x = self.relu(self.norm1(self.conv1(x)))
        x = self.relu(self.norm2(self.conv2(x)))
        x = self.norm3(self.conv3(x))
        x += shortcut
        return self.relu(x)


class ResNet50(nn.Module):
    """Images (batch, 3, height, width) -> logits (batch, classes)."""

    def __init__(self, classes):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False), nn.BatchNorm2d(64)
        self.relu, self.pool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1)
        self.stages, channels = nn.ModuleList(), 64
        for stage, depth in enumerate(DEPTHS):
            blocks = []
            for i in range(depth):
                blocks.append(Bottleneck(channels, 64 * 2**stage, 2 if stage > 0 and i == 0 else 1))
                channels = 256 * 2**stage
            self.stages.append(nn.Sequential(*blocks))
        self.logits = nn.Linear(channels, classes)

    def forward(self, x):
        """Computes the logits."""
        x = self.pool(self.relu(self.norm(self.conv(x))))
        for stage in self.stages:
            x = stage(x)
        return self.logits(x.mean((2, 3)))


def step(images, labels, classes, channels_last, threads):
    """A function that runs one step of SGD with momentum on images (batch, height, width, channels) -> the loss."""
    torch.set_num_threads(threads)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = ResNet50(classes).to(memory_format=layout).train()
    images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    labels = torch.from_numpy(labels)
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, fused=True)

    def run():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(net(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return run
