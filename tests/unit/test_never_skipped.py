"""The rule of tests/conftest.py: live and browser tests are never skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

WAYS_TO_SKIP = {
    "call": "import pytest\ndef test_it(): pytest.skip('no broker')",
    "mark": "import pytest\n@pytest.mark.skip(reason='no broker')\ndef test_it(): pass",
    "condition": "import pytest\n@pytest.mark.skipif(True, reason='no broker')\ndef test_it(): pass",
    "fixture": (
        "import pytest\n@pytest.fixture\ndef broker(): pytest.skip('no broker')\ndef test_it(broker): pass"
    ),
    "module": "import pytest\npytest.skip('no broker', allow_module_level=True)",
}


def run(pytester: pytest.Pytester, folder: str, files: dict[str, str]) -> pytest.RunResult:
    """Run `files` (name: body) as tests/FOLDER with this project's conftest."""
    pytester.makeini("[pytest]\nmarkers =\n    live\n    browser\n")
    room = pytester.path / "tests" / folder
    room.mkdir(parents=True)
    for name, body in files.items():
        (room / f"test_{name}.py").write_text(body, encoding="utf-8")
    conftest = CONFTEST.read_text(encoding="utf-8").replace('pytest_plugins = ["pytester"]', "")
    (pytester.path / "tests" / "conftest.py").write_text(conftest, encoding="utf-8")
    # Plugins that the rule does without cost a second each run.
    off = (
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "-p",
        "no:hypothesispytest",
        "-p",
        "no:anyio",
    )
    return pytester.runpytest_inprocess("--continue-on-collection-errors", "-ra", *off)


@pytest.mark.parametrize("folder", ["live", "browser"])
def test_a_skip_among_live_and_browser_tests_fails_the_run(
    pytester: pytest.Pytester, folder: str
) -> None:
    """However a live or browser test skips itself, it fails, and the run tells why it wanted to."""
    result = run(pytester, folder, WAYS_TO_SKIP)

    output = result.stdout.str()
    outcomes = result.parseoutcomes()
    assert result.ret != 0
    assert outcomes.get("skipped", 0) == 0, output
    assert outcomes["failed"] + outcomes["errors"] == len(WAYS_TO_SKIP), output
    assert output.count(f"tests/{folder} must not skip") >= len(WAYS_TO_SKIP), output
    assert "no broker" in output


def test_elsewhere_a_skip_stays_a_skip(pytester: pytest.Pytester) -> None:
    """A unit test may be skipped, for example on another platform."""
    result = run(pytester, "unit", {"call": WAYS_TO_SKIP["call"]})

    assert result.ret == 0
    result.assert_outcomes(skipped=1)


def test_live_tests_are_marked_by_their_folder(pytester: pytest.Pytester) -> None:
    """A test below tests/live carries the mark `live` without saying so."""
    body = "def test_it(request): assert request.node.get_closest_marker('live')"

    result = run(pytester, "live", {"mark": body})

    assert result.ret == 0
    result.assert_outcomes(passed=1)
