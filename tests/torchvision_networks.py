"""SqueezeNet and ResNet-18 in PyTorch, with torchvision's names, written independently of nst_jax."""

from collections import OrderedDict

import torch
from torch import nn


class Fire(nn.Module):
    def __init__(self, inputs, squeezed, expanded):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x):
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


class SqueezeNet(nn.Module):
    """`named(x)` gives our layers' activations; their positions in `features` are torchvision's."""

    def __init__(self, version, classes=1000):
        super().__init__()
        fires = zip((64, 128, 128, 256, 256, 384, 384, 512), (16, 16, 32, 32, 48, 48, 64, 64), strict=True)
        fires = [Fire(96 if version == "1_0" and i == 0 else a, s, 4 * s) for i, (a, s) in enumerate(fires)]
        first = nn.Conv2d(3, 96, 7, 2) if version == "1_0" else nn.Conv2d(3, 64, 3, 2)
        pooled = (1, 4, 8) if version == "1_0" else (1, 3, 5)
        steps, self.names = [], []
        for number, module in enumerate([first, *fires], 1):
            steps += [module, nn.ReLU()] if number == 1 else [module]
            self.names += ["", "conv1"] if number == 1 else [f"fire{number}"]
            if number in pooled:
                steps.append(nn.MaxPool2d(3, 2, ceil_mode=True))
                self.names.append(f"pool{number}")
        self.features = nn.Sequential(*steps)
        final = nn.Conv2d(512, classes, 1)
        self.classifier = nn.Sequential(nn.Dropout(), final, nn.ReLU(), nn.AdaptiveAvgPool2d(1))

    def named(self, x):
        found = {}
        for name, step in zip(self.names, self.features, strict=True):
            x = found[name] = step(x)
        found["conv10"] = self.classifier[:3](x)
        found["scores"] = self.classifier(x).flatten(1)
        return {name: value for name, value in found.items() if name}


class BasicBlock(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet18(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        for stage, width in enumerate((64, 128, 256, 512), 1):
            inputs, stride = (64, 1) if stage == 1 else (width // 2, 2)
            blocks = nn.Sequential(BasicBlock(inputs, width, stride), BasicBlock(width, width, 1))
            setattr(self, f"layer{stage}", blocks)
        self.fc = nn.Linear(512, classes)

    def named(self, x):
        found = OrderedDict(conv1=self.bn1(self.conv1(x)).relu())
        x = found["pool1"] = nn.functional.max_pool2d(found["conv1"], 3, 2, 1)
        for stage in range(1, 5):
            for index, block in enumerate(getattr(self, f"layer{stage}"), 1):
                x = found[f"block{stage + 1}_{index}"] = block(x)
        found["scores"] = self.fc(x.mean((2, 3)))
        return found


def made(arch, seed=0, classes=1000):
    """A network in evaluation mode whose numbers, those of batch normalisation too, are random."""
    torch.manual_seed(seed)
    network = ResNet18(classes) if arch == "resnet18" else SqueezeNet(arch[-3:], classes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network.eval()
