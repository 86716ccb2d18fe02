"""Makes all fixtures of tests/fixtures again, in order. (`cargo xtask reference` runs the same scripts one by one.)"""

import broken
import families
import imagenet
import images
import perturbation
import segments
import tiny
import zoo

for family in (images, broken, tiny, imagenet, zoo, families):
for family in (images, broken, tiny, imagenet, segments, perturbation):
    print(f"{family.__name__}: {family.__doc__.splitlines()[0]}", flush=True)
    family.make()
