"""How the suite runs: garbage is collected less often, which is a tenth of its time.

What is imported lives as long as the process, millions of objects that Python would look through
again and again.
"""

import gc


def pytest_collection_finish():
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
