"""scikit-learn's models as skl2onnx writes them, and the operators of `ai.onnx.ml` one by one, by onnxruntime."""

import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier, ExtraTreesClassifier, GradientBoostingClassifier, GradientBoostingRegressor,
    IsolationForest, RandomForestClassifier, RandomForestRegressor, VotingClassifier,
)  # fmt: skip
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, KBinsDiscretizer, MinMaxScaler, Normalizer, OneHotEncoder, OrdinalEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from operators import Collection

SETS = {"": 17, "ai.onnx.ml": 3}


def models():
    """Name, fitted model, rows, options of the converter."""
    wine, cancer, digits = load_wine(), load_breast_cancer(), load_digits()
    w, c, d = (np.asarray(data.data, np.float32) for data in (wine, cancer, digits))
    names = wine.target_names[wine.target]
    seed = dict(random_state=0)
    few = dict(n_estimators=5, max_depth=4, **seed)
    scaled = StandardScaler().fit_transform(w).astype(np.float32)
    pipeline = lambda *parts: make_pipeline(StandardScaler(), *parts)  # noqa: E731
    holes = scaled[:, :4].copy()
    holes[::3, 1] = np.nan
    whole = np.digitize(scaled[:, :3], [-0.5, 0.5]).astype(np.int64)
    yield "logistic_wine", pipeline(LogisticRegression()).fit(w, wine.target), w, {}
    yield "logistic_wine_names", pipeline(LogisticRegression()).fit(w, names), w, {}
    yield "logistic_cancer", pipeline(LogisticRegression()).fit(c, cancer.target), c, {}
    yield "logistic_zipmap", LogisticRegression().fit(scaled, wine.target), scaled, {"zipmap": True}
    yield "sgd_cancer", pipeline(SGDClassifier(loss="log_loss", **seed)).fit(c, cancer.target), c, {}
    yield "linear_regression", LinearRegression().fit(scaled[:, 1:], w[:, 0]), scaled[:, 1:], None
    yield "ridge_two", Ridge().fit(scaled[:, 2:], w[:, :2]), scaled[:, 2:], None
    for norm in ("l1", "l2", "max"):
        yield f"normalizer_{norm}", Normalizer(norm).fit(scaled), scaled, None
    yield "minmax", MinMaxScaler().fit(w), w, None
    yield "binarizer", Binarizer(threshold=0.2).fit(scaled), scaled, None
    yield "imputer", SimpleImputer().fit(holes), holes, None
    yield "onehot", OneHotEncoder(handle_unknown="ignore").fit(whole), whole, None
    yield "ordinal", OrdinalEncoder().fit(whole), whole, None
    yield "polynomial", PolynomialFeatures(2).fit(scaled[:, :3]), scaled[:, :3], None
    yield "bins", KBinsDiscretizer(3, encode="ordinal").fit(scaled[:, :3]), scaled[:, :3], None
    yield "pca", PCA(2).fit(scaled), scaled, None
    yield "tree_wine", DecisionTreeClassifier(max_depth=4, **seed).fit(w, wine.target), w, {}
    yield "forest_wine", RandomForestClassifier(**few).fit(w, wine.target), w, {}
    yield "forest_wine_names", RandomForestClassifier(**few).fit(w, names), w, {}
    yield "forest_cancer", RandomForestClassifier(**few).fit(c, cancer.target), c, {}
    yield "forest_digits", RandomForestClassifier(n_estimators=4, max_depth=5, **seed).fit(d, digits.target), d, {}
    yield "extra_trees", ExtraTreesClassifier(**few).fit(w, wine.target), w, {}
    yield "boosting_cancer", GradientBoostingClassifier(n_estimators=5, **seed).fit(c, cancer.target), c, {}
    yield "boosting_wine", GradientBoostingClassifier(n_estimators=3, **seed).fit(w, wine.target), w, {}
    yield "adaboost", AdaBoostClassifier(n_estimators=3, **seed).fit(w, wine.target), w, {}
    yield "forest_regressor", RandomForestRegressor(**few).fit(w[:, 1:], w[:, 0]), w[:, 1:], None
    yield "boosting_regressor", GradientBoostingRegressor(n_estimators=5, **seed).fit(w[:, 1:], w[:, 0]), w[:, 1:], None
    yield "tree_regressor_two", DecisionTreeRegressor(max_depth=4, **seed).fit(w[:, 2:], w[:, :2]), w[:, 2:], None
    yield "isolation", IsolationForest(n_estimators=3, **seed).fit(scaled), scaled, None
    for kernel in ("linear", "poly", "rbf", "sigmoid"):
        yield f"svc_{kernel}", SVC(kernel=kernel).fit(scaled[:, :4], wine.target), scaled[:, :4], {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield "svc_probable", SVC(probability=True, **seed).fit(scaled[:, :4], wine.target), scaled[:, :4], {}
        yield "svc_probable_two", SVC(probability=True, **seed).fit(scaled[:, :4], wine.target > 0), scaled[:, :4], {}
        yield "svc_names", SVC(probability=True, **seed).fit(scaled[:, :4], names), scaled[:, :4], {}
    yield "svc_two", SVC().fit(scaled[:, :4], (wine.target > 0).astype(int)), scaled[:, :4], {}
    yield "nusvc", NuSVC(nu=0.3).fit(scaled[:, :4], wine.target), scaled[:, :4], {}
    yield "linear_svc", LinearSVC().fit(scaled, wine.target), scaled, {}
    yield "svr", SVR().fit(scaled[:, 1:5], w[:, 0]), scaled[:, 1:5], None
    yield "one_class", OneClassSVM().fit(scaled[:, :4]), scaled[:, :4], None
    yield "bayes", GaussianNB().fit(scaled, wine.target), scaled, {}
    yield "neighbours", KNeighborsClassifier(3).fit(scaled[:40], wine.target[::4][:40]), scaled, {}
    yield "perceptron", MLPClassifier((6,), max_iter=300, **seed).fit(scaled, wine.target), scaled, {}
    yield "means", KMeans(3, n_init=1, **seed).fit(scaled), scaled, None
    both = VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3, **seed))], voting="soft", flatten_transform=False)
    yield "voting", both.fit(scaled, wine.target), scaled, {}


def node(operator, inputs, outputs, version=3, **attributes):
    kinds = {"f": TensorProto.FLOAT, "i": TensorProto.INT64}
    graph = helper.make_graph(
        [helper.make_node(operator, [f"in{at}" for at in range(len(inputs))], [f"out{at}" for at in range(len(outputs))], domain="ai.onnx.ml", **attributes)],
        operator,
        [helper.make_tensor_value_info(f"in{at}", kinds[value.dtype.kind], value.shape) for at, value in enumerate(inputs)],
        [helper.make_tensor_value_info(f"out{at}", kind, None) for at, kind in enumerate(outputs)],
    )
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", version)]
    return helper.make_model(graph, opset_imports=sets, ir_version=9), {f"in{at}": value for at, value in enumerate(inputs)}


def operators():
    F, I = TensorProto.FLOAT, TensorProto.INT64  # noqa: E741
    x = np.asarray([[1, -2, 0.5], [-0.3, 0.2, -0.1], [0, 0, 0]], np.float32)
    for norm in ("MAX", "L1", "L2"):
        yield f"normalizer_{norm}", *node("Normalizer", [x], [F], norm=norm)
    weights, offsets = [0.2, -0.1, 0.3, 0.5, 0.1, 0.2, -0.5, -0.1, -0.2], [0.1, -0.2, 0.0]
    for transform in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        for classes, labels in ((1, [3, 5]), (2, [0, 1]), (3, [4, 5, 6])):
            linear = dict(coefficients=weights[: 3 * classes], intercepts=offsets[:classes], post_transform=transform)
            yield f"linear_{transform}_{classes}", *node("LinearClassifier", [x], [I, F], classlabels_ints=labels, **linear)
            yield f"linear_regressor_{transform}_{classes}", *node("LinearRegressor", [x], [F], targets=classes, **linear)
    yield "linear_regressor_PROBIT", *node(
        "LinearRegressor", [np.abs(x) / 4], [F], coefficients=[0.2, 0.1, 0.3], intercepts=[0.3], targets=1, post_transform="PROBIT"
    )
    stump = dict(
        nodes_treeids=[0, 0, 0, 1, 1, 1, 1, 1], nodes_nodeids=[0, 1, 2, 0, 1, 2, 3, 4], nodes_featureids=[0, 0, 0, 1, 0, 2, 0, 0],
        nodes_values=[0.0, 0, 0, 0.1, 0, -0.05, 0, 0], nodes_truenodeids=[1, 0, 0, 1, 0, 3, 0, 0],
        nodes_falsenodeids=[2, 0, 0, 2, 0, 4, 0, 0], nodes_missing_value_tracks_true=[0, 0, 0, 1, 0, 0, 0, 0],
    )  # fmt: skip
    rows = np.asarray([[1, -2, 0.5], [-0.3, 0.2, -0.1], [0, 0.1, -0.05], [np.nan, np.nan, np.nan], [np.nan, 3, 0]], np.float32)
    for first, second in (("LEQ", "LEQ"), ("LT", "GTE"), ("GT", "EQ"), ("NEQ", "LEQ")):
        modes = [f"BRANCH_{first}", "LEAF", "LEAF", f"BRANCH_{second}", "LEAF", f"BRANCH_{first}", "LEAF", "LEAF"]
        target = dict(target_treeids=[0, 0, 1, 1, 1], target_nodeids=[1, 2, 1, 3, 4], target_ids=[0] * 5, target_weights=[0.3, 0.8, -0.5, 0.4, 1.5])
        for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
            yield f"trees_{first}_{second}_{aggregate}", *node(
                "TreeEnsembleRegressor", [rows], [F], **stump, **target, nodes_modes=modes, n_targets=1,
                aggregate_function=aggregate, base_values=[0.25],
            )  # fmt: skip
    modes = ["BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF", "BRANCH_LT", "LEAF", "LEAF"]
    for transform in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        for name, ids, labels, weights, base in (
            ("positive", [0] * 5, [3, 5], [0.3, 0.1, 0.2, 0.4, 0.35], None), ("mixed", [0] * 5, [3, 5], [0.3, -0.1, -0.2, 0.4, 0.35], [0.1]),
            ("second", [1] * 5, [3, 5], [0.3, -0.1, -0.2, 0.4, 0.35], None), ("three", [0, 1, 2, 1, 0], [3, 5, 6], [0.3, -0.1, -0.2, 0.4, 0.35], None),
            ("based", [0, 1, 2, 1, 0], [3, 5, 6], [0.3, -0.1, -0.2, 0.4, 0.35], [0.1, 0.25, -0.3]),
        ):  # fmt: skip
            leaves = dict(class_treeids=[0, 0, 1, 1, 1], class_nodeids=[1, 2, 1, 3, 4], class_ids=ids, class_weights=weights)
            more = dict(base_values=base) if base else {}
            yield f"trees_{transform}_{name}", *node(
                "TreeEnsembleClassifier", [rows], [I, F], **stump, **leaves, nodes_modes=modes, classlabels_int64s=labels, post_transform=transform, **more
            )
        if transform != "SOFTMAX_ZERO":
            target = dict(target_treeids=[0, 0, 0, 1, 1, 1], target_nodeids=[1, 2, 2, 1, 3, 4], target_ids=[0, 0, 2, 1, 0, 0],
                          target_weights=[0.3, 0.8, -0.5, 0.4, 1.5, 0.2])  # fmt: skip
            for aggregate in ("SUM", "MIN", "MAX"):
                yield f"trees_three_{transform}_{aggregate}", *node(
                    "TreeEnsembleRegressor", [rows], [F], **stump, **target, nodes_modes=modes, n_targets=3, post_transform=transform,
                    aggregate_function=aggregate, base_values=[0.1, 0.2, 0.3],
                )  # fmt: skip
    tensor = onnx.numpy_helper.from_array
    for aggregate in range(4):
        yield f"ensemble_{aggregate}", *node(
            "TreeEnsemble", [rows], [F], version=5, n_targets=2, aggregate_function=aggregate, nodes_featureids=[0, 1, 2, 1],
            nodes_modes=tensor(np.asarray([0, 1, 4, 3], np.uint8)), nodes_splits=tensor(np.asarray([0.0, 0.15, 0.5, 0.1], np.float32)),
            nodes_truenodeids=[1, 0, 2, 4], nodes_trueleafs=[0, 1, 1, 1], nodes_falsenodeids=[2, 1, 3, 5], nodes_falseleafs=[0, 1, 1, 1],
            nodes_missing_value_tracks_true=[1, 0, 0, 0], leaf_targetids=[0, 1, 0, 1, 0, 1],
            leaf_weights=tensor(np.asarray([1.0, -2, 3, 0.5, 0.25, 4], np.float32)), tree_roots=[0, 3],
        )  # fmt: skip
    yield "member", *node(
        "TreeEnsemble", [rows], [F], version=5, n_targets=1, nodes_featureids=[0], nodes_modes=tensor(np.asarray([6], np.uint8)),
        nodes_splits=tensor(np.asarray([0.0], np.float32)), nodes_truenodeids=[0], nodes_trueleafs=[1], nodes_falsenodeids=[1], nodes_falseleafs=[1],
        leaf_targetids=[0, 0], leaf_weights=tensor(np.asarray([1.0, -2], np.float32)), tree_roots=[0],
        membership_values=tensor(np.asarray([1.0, 0.0, 7.0, np.nan], np.float32)),
    )  # fmt: skip
    pairs = np.asarray([[1, 0.5], [-1, -0.3], [0.2, 0]], np.float32)
    for transform in ("NONE", "LOGISTIC", "SOFTMAX"):
        for name, coefficients in (("positive", [0.5, 0.8]), ("mixed", [-0.5, 0.8])):
            machine = dict(kernel_type="RBF", kernel_params=[0.5, 0.0, 3.0], support_vectors=[1.0, 0, 0, 1], coefficients=coefficients, rho=[0.1],
                           vectors_per_class=[1, 1], classlabels_ints=[3, 5], post_transform=transform)  # fmt: skip
            yield f"machine_{transform}_{name}", *node("SVMClassifier", [pairs], [I, F], **machine)
            yield f"machine_{transform}_{name}_probable", *node("SVMClassifier", [pairs], [I, F], **machine, prob_a=[-1.5], prob_b=[0.2])
        machine = dict(kernel_type="SIGMOID", kernel_params=[0.5, 0.1, 3.0], support_vectors=[1.0, 0, 0, 1, 1, 1],
                       coefficients=[0.5, -0.8, 0.3, 0.2, 0.1, -0.7], rho=[0.1, 0.2, -0.3], vectors_per_class=[1, 1, 1], classlabels_ints=[4, 5, 6],
                       post_transform=transform)  # fmt: skip
        yield f"machine_{transform}_three", *node("SVMClassifier", [pairs], [I, F], **machine)
        yield f"machine_{transform}_three_probable", *node("SVMClassifier", [pairs], [I, F], **machine, prob_a=[-1.5, -1, -2], prob_b=[0.2, 0.1, 0])
        weights = dict(kernel_type="LINEAR", kernel_params=[0.5, 0.1, 3.0], coefficients=[0.5, -0.8, 0.3, 0.2, 0.1, -0.7], rho=[0.1])
        yield f"machine_{transform}_linear", *node("SVMClassifier", [pairs], [I, F], **weights, classlabels_ints=[4, 5, 6], post_transform=transform)
    machine = dict(kernel_type="POLY", kernel_params=[0.5, 0.1, 3.0], support_vectors=[1.0, 0, 0, 1, 1, 1], n_supports=3, coefficients=[0.5, -0.8, 0.3], rho=[0.1])
    yield "machine_regressor", *node("SVMRegressor", [pairs], [F], **machine)
    yield "machine_one_class", *node("SVMRegressor", [pairs], [F], **machine, one_class=1)
    yield "machine_regressor_linear", *node("SVMRegressor", [pairs], [F], kernel_type="LINEAR", kernel_params=[0.5, 0.1, 3.0], coefficients=[0.5, -0.8], rho=[0.1])
    codes = np.asarray([[1, 2], [5, 1], [7, 3]], np.int64)
    yield "codes_to_reals", *node("LabelEncoder", [codes], [F], keys_int64s=[1, 2, 5], values_floats=[0.5, 1.5, -2.0], default_float=9.0)
    yield "codes_to_wholes", *node("LabelEncoder", [codes], [I], version=4, keys_int64s=[1, 2, 5], values_int64s=[10, 20, 50])
    yield "reals_to_wholes", *node("LabelEncoder", [np.asarray([1.5, np.nan, 2], np.float32)], [I], version=4, keys_floats=[1.5, np.nan], values_int64s=[3, 4], default_int64=-7)
    yield "categories", *node("OneHotEncoder", [codes], [F], cats_int64s=[1, 2, 7], zeros=1)
    yield "categories_of_reals", *node("OneHotEncoder", [np.asarray([1, 2.7, 9], np.float32)], [F], cats_int64s=[1, 2, 7], zeros=1)
    yield "scaler", *node("Scaler", [x], [F], offset=[0.5, -1, 2], scale=[2.0, 0.5, -1])
    yield "imputer_whole", *node("Imputer", [codes], [I], imputed_value_int64s=[8, 9], replaced_value_int64=1)
    yield "features", *node("ArrayFeatureExtractor", [x, np.asarray([[2, 0]], np.int64)], [F])
    yield "vectors", *node("FeatureVectorizer", [x, codes.astype(np.float32)], [F], inputdimensions=[3, 2])
    yield "binarizer_row", *node("Binarizer", [x], [F], threshold=0.2)


def make():
    all = Collection("classical")
    for name, model, rows, options in models():
        options = None if options is None else {id(model): {"zipmap": False, **options}}
        if name.startswith(("linear_svc",)):
            options = None
        final = model.steps[-1][1] if hasattr(model, "steps") else model
        if options and final is not model:
            options = {id(final): options[id(model)]}
        converted = to_onnx(model, rows[:1], options=options, target_opset=SETS)
        # A tie of distances or votes is nobody's mistake.
        all.add(f"model_{name}", converted, {converted.graph.input[0].name: rows[7:160:38]}, relative=1e-4 if "svc" in name else 2e-5)
    for name, model, inputs in operators():
        all.add(name.lower(), model, inputs, relative=1e-4 if "probable" in name else 1e-5)
    all.write()


if __name__ == "__main__":
    make()
