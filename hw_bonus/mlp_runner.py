"""Command-line program that trains an MLP on handwritten digits and shows what it learned. Try --help."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Imports find the mytorch beside this file before an installed one. This folder itself is left out, because its file names
# could hide other packages.
ROOT, HERE = Path(__file__).resolve().parent.parent, Path(__file__).resolve().parent
sys.path[:] = [str(ROOT), *(entry for entry in sys.path if entry != str(HERE))]

from hw_bonus import options  # noqa: E402
from hw_bonus.errors import BadInput, Diverged  # noqa: E402

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"
)  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Runs the program. Returns 0, 1 (the loss became NaN), 2 (bad input), 130 (Ctrl-C) or 141 (nobody reads the output)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without accents must not end the training
    try:
        given = options.parse(argv)
        for name in THREAD_VARIABLES:  # read when NumPy is imported, so before that
            os.environ[name] = str(given.get("threads", options.DEFAULTS["threads"]))
        try:
            import numpy  # noqa: F401
        except ImportError:
            raise BadInput("NumPy is not installed; install it with: python -m pip install numpy") from None
        from hw_bonus import session

        code = session.run(given)
        sys.stdout.flush()
        return code
    except BadInput as error:
        return _complain(error, 2)
    except Diverged as error:
        return _complain(error, 1)
    except MemoryError:
        return _complain("there is not enough memory for this; give smaller --hidden or --batch-size", 2)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except BrokenPipeError:
        # Python flushes at exit and would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _complain(message: object, code: int) -> int:
    text = " ".join(str(message).split())
    print(f"mlp_runner.py: {text}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
