import json
import os
import runpy
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import benchmarks
import keras
import numpy as np
import pytest
from benchmarks import measure, peers, results, runner
from benchmarks.case import Case, Peer

ROOT = Path(__file__).parents[2]


class Machine:
    """Runs that take a known time on a clock of their own, and note in which order they ran."""

    def __init__(self, slowdown=1.0):
        self.now, self.speed, self.slowdown, self.order = 0.0, 1.0, slowdown, []

    def run(self, name, seconds):
        def call():
            self.now += seconds * self.speed
            self.speed *= self.slowdown
            self.order.append(name)
            return name

        return call

    def measure(self, rounds=9, sync=lambda output: None, **seconds):
        runs = {name: self.run(name, s) for name, s in seconds.items()}
        return measure.interleaved(runs, rounds=rounds, sync=sync, clock=lambda: self.now)


@pytest.mark.runs_on("torch")
def test_rounds_are_interleaved():
    machine = Machine()
    seconds = machine.measure(a=0.02, b=0.04, c=0.08)
    assert "".join(machine.order) == "abc" + 9 * "abc"  # once each to see how long they take
    assert {name: len(samples) for name, samples in seconds.items()} == {"a": 9, "b": 9, "c": 9}
    assert measure.ratios(seconds["a"], seconds["b"]) == pytest.approx([0.5] * 9)


@pytest.mark.runs_on("torch")
def test_short_runs_are_repeated_within_a_sample():
    machine = Machine()
    seconds = machine.measure(rounds=1, a=0.0002, b=0.02)
    assert seconds == {"a": pytest.approx([0.0002]), "b": pytest.approx([0.02])}
    sample = "".join(machine.order).split("b")[1]
    assert len(sample) * 0.0002 >= measure.SAMPLE_SECONDS


@pytest.mark.runs_on("torch")
def test_a_machine_that_slows_down_does_not_change_the_ratio():
    seconds = Machine(slowdown=1.5).measure(a=0.02, b=0.02)
    assert max(seconds["a"]) > 10 * min(seconds["a"])
    assert measure.ratios(seconds["a"], seconds["b"]) == pytest.approx([1 / 1.5] * 9)


@pytest.mark.runs_on("torch")
def test_every_output_is_waited_for():
    waited = []
    machine = Machine()
    machine.measure(a=0.004, b=0.02, sync=waited.append)
    assert waited == machine.order


@pytest.mark.runs_on("torch")
def test_a_run_may_bring_its_own_clock():
    def run():
        return measure.Elapsed(3.0)

    seconds = measure.interleaved({"a": run}, rounds=2, sync=lambda output: None)
    assert seconds == {"a": [3.0, 3.0]}


@pytest.mark.runs_on("torch")
def test_at_least_one_round():
    with pytest.raises(ValueError, match="rounds=0"):
        Machine().measure(rounds=0, a=1.0)


@pytest.mark.runs_on("torch")
def test_spread():
    assert measure.spread([5.0, 1.0, 2.0, 4.0, 3.0]) == {
        "median": 3.0,
        "minimum": 1.0,
        "lower_quartile": 2.0,
        "upper_quartile": 4.0,
    }
    assert set(measure.spread([7.0]).values()) == {7.0}


@pytest.mark.runs_on("torch")
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_resident_peak_sees_what_a_call_frees_again():
    peak = measure.resident_peak(lambda: np.ones(64 * 2**20, "uint8").sum(), lambda output: None)
    assert peak == pytest.approx(64, abs=4)


@pytest.mark.parametrize("train", [False, True], ids=["forward", "training"])
def test_peers_compute_with_the_layer(train):
    """Output and gradients are of the layer's weights and inputs, and masks go through."""
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    x = keras.ops.convert_to_tensor([[1.0, 2.0], [3.0, 4.0]])
    mask = keras.ops.convert_to_tensor([True, False])
    layer.build(x.shape)

    def call(x, mask, missing):
        assert missing is None
        return keras.ops.where(mask[:, None], layer(x), 0.0)

    run = (peers.training if train else peers.forward)(call, x, mask, None, layer=layer)
    output = run()
    peers.sync(output)
    if not train:
        np.testing.assert_allclose(keras.ops.convert_to_numpy(output), [[3.0], [0.0]])
        return
    loss, gradients = output
    assert float(loss) == 1.5
    arrays = [keras.ops.convert_to_numpy(g) for g in flat(gradients)]
    assert sorted((g.shape, g.ravel().tolist()) for g in arrays) == [
        ((2, 1), [0.5, 1.0]),  # of the kernel
        ((2, 2), [0.5, 0.5, 0.0, 0.0]),  # of x
    ]


def flat(tree):
    if isinstance(tree, (list, tuple)):
        return [leaf for branch in tree for leaf in flat(branch)]
    return [] if tree is None else [tree]


def test_native_peers_know_the_masks():
    """Two sequences that differ only where padding or order hides it come out the same."""
    x = np.random.default_rng(0).standard_normal((1, 6, 8), dtype="float32").repeat(2, axis=0)
    x[1, 4:] += 1
    x = keras.ops.convert_to_tensor(x)
    padding = keras.ops.convert_to_tensor(np.arange(6) < np.full((2, 1), 4))

    def difference(mask, causal):
        run = peers.self_attention(x, mask, heads=2, causal=causal, train=False)
        one, other = keras.ops.convert_to_numpy(run())[:, :4]
        return np.abs(one - other).max()

    assert difference(None, False) > 1e-3
    assert difference(padding, False) < 1e-6
    assert difference(None, True) < 1e-6
    assert difference(padding, True) < 1e-6


def test_the_native_encoder_learns():
    x = np.random.default_rng(0).standard_normal((16, 4, 8), dtype="float32")
    y = np.arange(16, dtype="int32") % 2
    settings = {"batch_size": 8, "layers": 1, "heads": 2, "intermediate": 16}
    epoch = peers.encoder_epoch(x, y, **settings)
    losses = [epoch() for _ in range(30)]
    assert 0.3 < losses[0] < 3
    assert losses[-1] < losses[0] - 0.05


def record(date="2026-01-01T00:00:00+00:00", **changes):
    milliseconds = measure.spread([2.0, 4.0, 6.0])
    ours = {"milliseconds": milliseconds, "first_call_seconds": 1.0, "peak_mib": 12.0}
    return {
        "benchmark": "overhead",
        "case": "eager",
        "peer": "keras",
        "ours": ours,
        "peer_measured": {**ours, "peak_mib": None},
        "ratio": measure.spread([0.4, 0.5, 0.7]),
        "reach": {"time": 0.45},
        "judged": {"time": {"measured": 0.5, "reached": False}},
        "date": date,
        "backend": "torch",
        "device": "cpu",
        "versions": {"keras": "3.15.1"},
        "machine": {"cpu": "a CPU", "cores": 1, "threads": {"OMP_NUM_THREADS": "1"}},
        "command": "python scripts/benchmark.py",
        "switches": {},
        **changes,
    }


@pytest.mark.runs_on("torch")
def test_results_come_back(tmp_path):
    file = tmp_path / "new" / "results.jsonl"
    long = [record(peer=str(i) * 50_000) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda r: results.append(file, r), long))
    records = results.read([file])
    assert sorted(records, key=lambda r: r["peer"]) == long


@pytest.mark.runs_on("torch")
def test_table_shows_the_latest():
    old, new = record(), record("2026-02-01T00:00:00+00:00", case="eager")
    new["ratio"] = measure.spread([0.2, 0.3, 0.4])
    other = record(backend="jax", judged={"time": {"measured": 0.1, "reached": True}})
    alone = record(case="alone", peer=None, peer_measured=None, ratio=None, reach={}, judged={})
    text = results.table([new, old, other, alone])
    rows = [line for line in text.splitlines() if line.startswith("| overhead")]
    assert rows == [
        "| overhead | eager | keras | 4 | 4 | 0.50 (0.45-0.60) | 0.40 | 12.0 |  | time 0.45 "
        "| yes |",
        "| overhead | alone |  | 4 |  |  |  | 12.0 |  |  |  |",
        "| overhead | eager | keras | 4 | 4 | 0.30 (0.25-0.35) | 0.20 | 12.0 |  | time 0.45 "
        "| no: 0.5 |",
    ]
    assert text.index("### jax, cpu") < text.index("### torch, cpu")
    assert "- Machine: cpu a CPU, cores 1, OMP_NUM_THREADS 1" in text


def busy(numbers):
    return lambda: lambda: np.ones(numbers).sum()


def never():
    raise AssertionError("was built")


@pytest.mark.runs_on("torch")
def test_missing_peer_is_named_and_skipped(capsys):
    case = Case(
        name="sum",
        ours=busy(1000),
        peers=[
            Peer(name="Other", make=never, library="no_such_library"),
            Peer(name="twice", make=busy(2000), reach={"time": 100.0}),
        ],
        memory=False,
    )
    (record,) = runner.compare(case, rounds=3)
    printed = capsys.readouterr().out
    assert "Other                        skipped: no_such_library is not installed" in printed
    assert record["peer"] == "twice"
    assert record["rounds"] == 3
    assert record["judged"]["time"]["reached"]
    assert "reached" not in printed, "bounds are for the machine that the docs name"


@pytest.mark.runs_on("torch")
def test_without_any_peer_ours_is_measured_all_the_same():
    peer = Peer(name="Other", make=never, library="no_such_library")
    (record,) = runner.compare(Case(name="sum", ours=busy(9), peers=[peer], memory=False), rounds=1)
    assert record["peer"] is None
    assert record["ours"]["milliseconds"]["median"] > 0


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize(
    ("what", "ours", "its", "bound", "reached"),
    [
        ("time", 1.0, 2.0, 0.5, True),
        ("time", 1.1, 2.0, 0.5, False),
        ("milliseconds", 0.3, 0.1, 0.25, False),
        ("milliseconds", 0.2, 0.1, 0.25, True),
        ("memory", 3.0, 2.0, 1.5, True),
        ("memory", 4.0, 2.0, 1.5, False),
    ],
)
def test_reach_is_judged(what, ours, its, bound, reached):
    times = {runner.OURS: [ours] * 3, "peer": [its] * 3}
    measured = {
        name: {"milliseconds": measure.spread(t), "first_call_seconds": 0, "peak_mib": t[0]}
        for name, t in times.items()
    }
    compared = runner.compare_with(
        Peer(name="peer", make=never, reach={what: bound}), measured, times
    )
    assert compared["judged"][what]["reached"] is reached


@pytest.mark.runs_on("torch")
def test_a_failure_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    broken = Case(name="broken", ours=lambda: never, memory=False)
    works = Case(name="works", ours=busy(9), memory=False)
    monkeypatch.setattr(benchmarks, "load", lambda name: lambda scale: iter([broken, works]))
    file = tmp_path / "results.jsonl"
    failed = runner.run(["overhead"], quick=True, rounds=1, results_file=file)
    assert failed == ["overhead, broken: AssertionError: was built"]
    assert [r["case"] for r in results.read([file])] == ["works"]
    assert "failed: AssertionError: was built" in capsys.readouterr().out


@pytest.mark.runs_on("torch")
def test_only_cases_with_a_text_in_their_names(tmp_path, monkeypatch):
    cases = [Case(name=name, ours=busy(9), memory=False) for name in ("B1 T64", "B8 T64")]
    monkeypatch.setattr(benchmarks, "load", lambda name: lambda scale: iter(cases))
    file = tmp_path / "results.jsonl"
    run = partial(runner.run, ["overhead"], quick=True, rounds=1, results_file=file)
    assert run(having="B8") == []
    assert [r["case"] for r in results.read([file])] == ["B8 T64"]
    assert run(having="B2") == ["overhead: no case has 'B2' in its name"]


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("name", benchmarks.names())
def test_cases_have_names_of_their_own(name):
    cases = list(benchmarks.load(name)(scale="quick"))
    assert len({case.name for case in cases}) == len(cases) > 0
    for case in cases:
        assert len({peer.name for peer in case.peers}) == len(case.peers)


@pytest.fixture
def benchmark(monkeypatch):
    """The script, run in this process."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["scripts/benchmark.py", *map(str, arguments)])
        monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
        runpy.run_path(str(ROOT / "scripts/benchmark.py"), run_name="__main__")

    return run


@pytest.mark.runs_on("torch")
def test_few_rounds_only_with_quick(benchmark, capsys):
    with pytest.raises(SystemExit):
        benchmark("--rounds", 8)
    assert "--rounds must be at least 9" in capsys.readouterr().err


@pytest.mark.runs_on("torch")
def test_help_lists_promises_without_keras():
    program = (
        "import runpy, sys; sys.argv = ['benchmark.py', '--help']\n"
        "try: runpy.run_path('benchmark.py', run_name='__main__')\n"
        "except SystemExit: print('keras' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "scripts", capture_output=True, text=True
    )
    assert "overhead         The cost of one call of a layer" in run.stdout, run.stderr
    assert run.stdout.splitlines()[-1] == "False"


@pytest.mark.runs_on("jax")
def test_measures_prints_and_appends(benchmark, tmp_path, capsys):
    file = tmp_path / "benchmarks.jsonl"
    arguments = "scripts/benchmark.py", "--quick", "--only", "overhead", "--results", str(file)
    run = subprocess.run(
        [sys.executable, *arguments],
        env={
            **os.environ,
            "KERAS_BACKEND": keras.backend.backend(),
            "PYTHONPATH": str(ROOT),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "eager call, B1 T4 D16 H2" in run.stdout
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == 2
    for line in lines:
        ratio = line["ratio"]
        assert 0 < ratio["minimum"] <= ratio["lower_quartile"] <= ratio["median"]
        assert line["backend"] == keras.backend.backend()
        assert line["rounds"] == measure.QUICK_ROUNDS
        assert line["versions"]["keras"] == keras.__version__
        assert line["command"].endswith(f"--quick --only overhead --results {file}")
        assert {"date", "device", "machine", "switches", "judged", "scale"} <= set(line)
    benchmark("--table", file)
    assert "| overhead | eager call, B1 T4 D16 H2 | keras |" in capsys.readouterr().out
