"""Every public layer under the whole contract; a layer without a case fails."""

import importlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_attention as ka
from tests import contracts
from tests.backend import BACKEND, to_numpy


def cases_of(name):
    module = getattr(ka.layers, name).__module__.rpartition(".")[2]
    return importlib.import_module(f"tests.layers.test_{module}").CASES


CASES = [case for name in ka.layers.__all__ for case in cases_of(name)]
FIRST = {case.layer: case for case in reversed(CASES)}  # of each layer
# What is checked of further configurations, and of the branches of attention: what they change in
# the computation. PyTorch, which compiles nothing, checks the rest of them too.
COMPUTED = {
    contracts.symbolic_shapes,
    contracts.unknown_sizes,
    contracts.padding_invariance,
    contracts.causality,
    contracts.nothing_to_attend_to,
    contracts.weights_are_weights,
    contracts.every_weight_learns,
}
BY_BRANCH = {
    contracts.batch_invariance,
    contracts.masks_agree,
    contracts.nothing_to_attend_to_in_16_bits,
    contracts.low_precision,
    contracts.traced_equals_eager,
    contracts.determinism,
}
COSTLY = {
    contracts.traced_equals_eager,
    contracts.fits_one_batch,
    contracts.predict_equals_call,
}


def asked(check, case):
    """Whether a case is asked a check without `--full`: the first of each layer is asked all but
    what others of its policies show."""
    if check is contracts.low_precision_of_other_policies:
        return False
    if FIRST[case.layer] is case:
        return True
    if case.branch and check in BY_BRANCH:
        return True
    return check not in COSTLY if BACKEND == "torch" else check in COMPUTED


RUNS = [
    pytest.param(
        check,
        case,
        id=f"{check.__name__}-{case.name}",
        # One worker for all checks of a layer: it compiles their operations once.
        marks=[
            pytest.mark.xdist_group(case.layer.__name__),
            *([] if asked(check, case) else [pytest.mark.full]),
        ],
    )
    for case in CASES  # one after the other, so that its checks share what they compile
    for check, applies in contracts.CHECKS.items()
    if applies(case)
]


@pytest.mark.parametrize("name", ka.layers.__all__)
def test_every_layer_has_a_case(name):
    assert any(case.layer is getattr(ka.layers, name) for case in cases_of(name))


@pytest.mark.parametrize(("check", "case"), RUNS)
def test_contract(check, case, request):
    keras.utils.set_random_seed(0)
    with case.running():
        if check is contracts.round_trip:
            check(case, request.getfixturevalue("tmp_path"))
        else:
            check(case)


@pytest.mark.runs_on("torch")  # a file says what to import; what it computes is in `round_trip`
def test_files_load_in_a_fresh_process(tmp_path):
    """After `import keras_attention` alone, with the same outputs."""
    for number, case in enumerate(FIRST.values()):
        data = case.data()
        model = contracts.make_model(case, case.make())
        model.save(tmp_path / f"{number}.keras")
        np.savez(tmp_path / f"{number}.npz", **data, output=to_numpy(contracts.first(model(data))))
    program = """
import glob, os, sys
import numpy as np
import keras, keras_attention
for path in sorted(glob.glob(sys.argv[1] + "/*.keras")):
    data = dict(np.load(path[:-5] + "npz"))
    expected = data.pop("output")
    output = keras.saving.load_model(path)(data)
    output = output[0] if isinstance(output, (tuple, list)) else output
    output = keras.ops.convert_to_numpy(output)
    np.testing.assert_array_equal(output, expected, err_msg=path)
    print("loaded", os.path.basename(path))
"""
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("loaded") == len(FIRST)
