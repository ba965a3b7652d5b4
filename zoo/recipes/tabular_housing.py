"""California housing: house values of a neighbourhood, beside gradient-boosted trees.

Data: 20,640 block groups of the census of 1990 with 9 columns, 207 of them without a number of
bedrooms; 64 % to train on, 16 % to choose by, 20 % to test on, at random by the seed. The target is
standardised, and capped at 500,001 dollars in the data; errors are in 100,000 dollars, so that 0.5
is 50,000 dollars. The published figure is of the original 8 columns and another split, so not
exactly comparable.

    KERAS_BACKEND=torch OMP_NUM_THREADS=1 python scripts/train.py tabular_housing --repeats 3

Measured: RMSE 0.503 +- 0.008 (the splits of seeds 0 to 2), in 3.9 minutes on one shared core
(PyTorch). Beside it, on the same splits: a linear model 0.670, scikit-learn's gradient-boosted
trees 0.456, which are better.

"""

import keras
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

import keras_attention as ka
from zoo.data import Splits
from zoo.data import california_housing as data
from zoo.harness.experiment import Recipe, sizes
from zoo.models.ft_transformer import VARIANTS, ft_transformer
from zoo.tasks import tabular, tabular_baselines

BATCH_SIZE = 256
LEAVES = (16, 32, 64)


def recipe(*, variant: str = "default", seed: int = 0, smoke: bool = False) -> Recipe:
    """Returns the experiment of this file.

    Args:
        variant: `"default"` or `"paper"`, see `zoo.models.ft_transformer.VARIANTS`.
        seed: of the split, the initial weights, the order and the dropout.
        smoke: made-up rows and two epochs, to see that everything runs.
    """
    keras.utils.set_random_seed(seed)
    splits = data.sample() if smoke else data.load(seed)
    x, y = splits.train
    scale = tabular.Scale(float(y.mean()), float(y.std()), "100,000 USD")
    model = ft_transformer(
        **sizes(VARIANTS, variant),
        numbers=data.NUMBERS,
        categories={name: sorted(set(x[name])) for name in data.CATEGORIES},
        row_names=data.COLUMNS,
        dropout=0.05,
        attention_dropout=0.1,
        quantities=ka.layers.Quantities(
            ["median house value (USD)"],
            [scale.offset * data.UNIT],
            [scale.scale * data.UNIT],
            name="quantities",
        ),
    )
    tabular.adapt(model, x)
    return tabular.make_number_recipe(
        # The model's outputs are standardised, and so are its targets.
        splits.map(lambda part: (part[0], scale.standardize(part[1]))),
        scale=scale,
        name="tabular_housing",
        variant=variant,
        seed=seed,
        model=model,
        epochs=2 if smoke else 40,
        batch_size=BATCH_SIZE,
        peak=2e-3,
        target="median house value (100,000 USD)",
        baselines={
            "linear regression": lambda data: linear_regression(data) * scale.scale,
            "gradient-boosted trees": lambda data: boosted_trees(data) * scale.scale,
        },
        published={"FT-Transformer (paper; 8 columns, another split)": 0.459},
        next_step="ask about the rows of a CSV file with a header:\n"
        "python scripts/predict.py {folder}/model.keras {folder}/example.csv",
    )


def linear_regression(splits: Splits) -> float:
    """Returns the test error of a linear model, standardised."""
    x = tabular_baselines.encode_linear(splits)
    return _rmse(LinearRegression().fit(x.train, splits.train[1]).predict(x.test), splits.test[1])


def boosted_trees(splits: Splits) -> float:
    """Returns the test error, standardised, of scikit-learn's histogram gradient boosting.

    The size of the trees is that of `LEAVES` which is best on the validation data.
    """
    x = tabular_baselines.encode_codes(splits)
    fitted = [
        HistGradientBoostingRegressor(
            max_iter=600, learning_rate=0.08, max_leaf_nodes=leaves, random_state=0
        ).fit(x.train, splits.train[1][:, 0])
        for leaves in LEAVES
    ]
    held = splits.validation[1][:, 0]
    best = min(fitted, key=lambda model: _rmse(model.predict(x.validation), held))
    return _rmse(best.predict(x.test), splits.test[1][:, 0])


def _rmse(predicted: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))
