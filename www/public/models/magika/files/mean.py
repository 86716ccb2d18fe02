"""The mean of numbers, one a line."""

import sys


def mean(numbers):
    numbers = list(numbers)
    if not numbers:
        raise ValueError("there is nothing to take the mean of")
    return sum(numbers) / len(numbers)


if __name__ == "__main__":
    print(mean(float(line) for line in sys.stdin if line.strip()))
