"""What every test shares: how Hypothesis looks for counterexamples."""

import os

from hypothesis import HealthCheck, settings

# No deadline: the first example of a test pays for imports and compilation.
settings.register_profile("quick", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
# The same examples on every machine, so that a red run elsewhere can be repeated here.
settings.register_profile("ci", settings.get_profile("quick"), max_examples=100, derandomize=True)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "quick"))

os.environ.setdefault("HARDHAT_DISABLE_TELEMETRY", "true")
