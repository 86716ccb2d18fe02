"""Makes all fixtures of tests/fixtures again, in order. (`cargo xtask reference` runs the same scripts one by one.)"""

import broken
import cam
import imagenet
import images
import paths
import relex
import tiny

for family in (images, broken, tiny, imagenet, relex, cam, paths):
    print(f"{family.__name__}: {family.__doc__.splitlines()[0]}", flush=True)
    family.make()
