"""AXAI's statistics (section 3.2, appendix C) by scipy, on fixed samples. Writes tests/fixtures/statistics/index.json."""

import numpy as np
import scipy
from scipy import stats

import common

QUANTILES = (0.15, 0.25, 0.5, 0.75, 0.85)


def samples():
    """Fixed samples, small enough to be stored: symmetric, skewed, heavy-tailed, tied, of different sizes."""
    random = np.random.default_rng(11)
    return {
        "normal": random.normal(0.0, 1.8e-3, 200),
        "shifted": random.normal(4e-4, 1.8e-3, 150),
        "heavy": random.standard_t(4, 120) * 1e-2,
        "skewed": random.exponential(2.0, 80),
        "beta": random.beta(11.3, 11.4, 100) * 2.0 - 1.0,
        "tied": random.integers(0, 6, 90).astype(float),
        "few": np.array([0.5, -1.25, 3.0, 2.0, -0.75]),
    }


def rounded(sample):
    """As they are stored: decimal digits that a reader of JSON gets back exactly."""
    return [float(f"{x:.9g}") for x in sample]


def described(x):
    low, high = min(x), max(x)
    theoretical, ordered = stats.probplot(x, fit=False)
    shape = lambda m, v: (m * (m * (1 - m) / v - 1), (1 - m) * (m * (1 - m) / v - 1))
    centre, spread = (np.mean(x) - low) / (high - low), np.var(x, ddof=1) / (high - low) ** 2
    interval = lambda p: stats.quantile_test(x, p=p).confidence_interval(0.95)
    defined = lambda ends: None if np.isnan(ends).any() else [float(end) for end in ends]
    return {
        "mean": float(np.mean(x)),
        "variance": float(np.var(x, ddof=1)),
        "skewness": float(stats.skew(x)),
        "mean_interval": [float(v) for v in stats.t.interval(0.95, len(x) - 1, loc=np.mean(x), scale=stats.sem(x))],
        "quantiles": [float(np.quantile(x, p)) for p in QUANTILES],
        "quantile_intervals": [defined(interval(p)) for p in QUANTILES],
        "beta": [float(v) for v in shape(centre, spread)],
        "qq": [[float(a), float(b)] for a, b in list(zip(theoretical, ordered))[:: max(1, len(x) // 10)]],
        "qq_every": max(1, len(x) // 10),
    }


def compared(a, b):
    t, u = stats.ttest_ind(a, b), stats.mannwhitneyu(a, b, method="asymptotic")
    n = min(len(a), len(b))
    return {
        "t": [float(t.statistic), float(t.pvalue)],
        "u": [float(u.statistic), float(u.pvalue)],
        "pearson": float(stats.pearsonr(a[:n], b[:n]).statistic),
        "spearman": float(stats.spearmanr(a[:n], b[:n]).statistic),
    }


def make():
    folder = common.FIXTURES / "statistics"
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {name: rounded(sample) for name, sample in samples().items()}
    names = list(drawn)
    groups = [["normal", "shifted"], ["normal", "shifted", "heavy", "beta"], ["tied", "few", "skewed"]]
    anova = [stats.f_oneway(*(drawn[name] for name in group)) for group in groups]
    common.write_json(
        folder / "index.json",
        {
            "scipy": scipy.__version__,
            "quantiles": QUANTILES,
            "samples": drawn,
            "described": {name: described(sample) for name, sample in drawn.items()},
            "pairs": [
                dict(first=a, second=b, **compared(drawn[a], drawn[b]))
                for i, a in enumerate(names) for b in names[i + 1 :]
            ],
            "anova": [
                {"groups": group, "f": float(result.statistic), "p": float(result.pvalue)}
                for group, result in zip(groups, anova)
            ],
        },
    )  # fmt: skip


if __name__ == "__main__":
    make()
