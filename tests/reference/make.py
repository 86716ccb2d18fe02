"""Makes all fixtures of tests/fixtures again, in order. (`cargo xtask reference` runs the same scripts one by one.)"""

import after
import attacks
import axai_statistics
import broken
import cam
import cam_family
import cases
import classical
import detectors
import families
import fashion_mnist
import features
import imagenet
import images
import judged
import limits
import metrics
import micro_front_end
import microsoft
import partition_shap
import paths
import perturbation
import photographs
import pictures
import random_networks
import real_networks
import relex
import rules
import segments
import sentences
import small_inputs
import small_texts
import sound
import tables
import text_networks
import tiny
import tokens
import words
import zoo

for family in (
    images, broken, tiny, imagenet, segments, perturbation, rules, cam, cam_family, paths, after, partition_shap, relex, photographs, limits, zoo, families, fashion_mnist,
    axai_statistics, metrics, judged, attacks, sentences, words, cases, pictures, small_inputs, small_texts, microsoft, classical, detectors, real_networks, random_networks, tokens, micro_front_end, features, sound, tables, text_networks,
):
    print(f"{family.__name__}: {family.__doc__.splitlines()[0]}", flush=True)
    family.make()
