"""Makes all fixtures of tests/fixtures again, in order. (`cargo xtask reference` runs the same scripts one by one.)"""

import axai_statistics
import broken
import imagenet
import images
import metrics
import tiny

for family in (images, broken, tiny, imagenet, axai_statistics, metrics):
    print(f"{family.__name__}: {family.__doc__.splitlines()[0]}", flush=True)
    family.make()
