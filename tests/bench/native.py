"""Adversight beside PyTorch outside of a browser, by turns, on as many threads: milliseconds of a forward pass and of one with the
gradient of the input.

    cargo xtask bench --native

PyTorch runs the same ONNX files by the interpreter of tests/reference, one call of a kernel a node, on tensors of 32 bits.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "reference"))

import torch  # noqa: E402
from common import MODELS, OnnxNet  # noqa: E402

ROUNDS = 15
NETWORKS = {"squeezenet1_1": 227, "efficientnet_lite0": 224}


class Ours:
    def __init__(self, program, network, batch, threads):
        self.process = subprocess.Popen(
            [program, MODELS / f"{network}.onnx", str(batch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"RAYON_NUM_THREADS": str(threads)},
        )
        self.process.stdout.readline()

    def time(self, what):
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


class Theirs:
    def __init__(self, network, batch):
        self.net = OnnxNet(MODELS / f"{network}.onnx", dtype=torch.float32)
        size = NETWORKS[network]
        numbers = torch.arange(batch * 3 * size * size, dtype=torch.float32)
        self.x = (numbers * 0.37).sin().reshape(batch, 3, size, size)

    def time(self, what):
        begin = time.perf_counter()
        if what == "forward":
            with torch.inference_mode():
                self.net(self.x).tolist()
        else:
            x = self.x.clone().requires_grad_()
            self.net(x)[:, 0].sum().backward()
            x.grad.sum().item()
        return (time.perf_counter() - begin) * 1e3


def take(side, what):
    # Threads of PyTorch look out for more work for a while before they sleep.
    time.sleep(0.05)
    return side.time(what)


def main():
    torch.use_deterministic_algorithms(False)
    print("| network, pictures, threads | Adversight, forward / with gradient | PyTorch | ours / theirs |")
    print("|---|---:|---:|---:|")
    for network in NETWORKS:
        for batch in (1, 8):
            for threads in (1, 2):
                torch.set_num_threads(threads)
                sides = Ours(sys.argv[1], network, batch, threads), Theirs(network, batch)
                found = []
                for what in ("forward", "gradient"):
                    times = [[take(side, what) for side in sides] for _ in range(ROUNDS + 3)][3:]
                    found.append([statistics.median(side) for side in zip(*times)])
                sides[0].process.terminate()
                (f, tf), (g, tg) = found
                print(
                    f"| {network}, {batch}, {threads} | {f:.1f} / {g:.1f} | {tf:.1f} / {tg:.1f} | {f / tf:.2f} / {g / tg:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
