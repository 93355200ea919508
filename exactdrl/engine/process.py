"""A worker process seen from its parent, which hands it a job and gets a result even if the process dies."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from contextlib import suppress

from exactdrl.engine.job import LIMIT, Job, JobResult, failed

WORKER = (sys.executable, "-m", "exactdrl.engine.worker")
_TAIL = 2000
# the environment variable with the worker's folder for temporary files, which it removes if its parent is gone
SCRATCH = "EXACTDRL_SCRATCH"


class WorkerProcess:
    """A worker that is started when it is needed, and again after it died."""

    def __init__(self, command: Sequence[str] = WORKER) -> None:
        """Takes the command that starts the worker."""
        self._command = tuple(command)
        self._process: subprocess.Popen[str] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._scratch: str | None = None

    def run(self, job: Job) -> JobResult:
        """Returns the result of a job; the death of the worker is a result, too."""
        process = self._start()
        if process.stdin is None or process.stdout is None:
            raise AssertionError("a worker without pipes: this is a bug")
        try:
            process.stdin.write(json.dumps(job.to_json()) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if line.endswith("\n"):
                return JobResult.from_json(json.loads(line))
        except (BrokenPipeError, ValueError):
            pass
        self._stop()
        return self._post_mortem(process.returncode, job)

    def _start(self) -> "subprocess.Popen[str]":
        if self._process is not None and self._process.poll() is not None:
            # it was killed while it had nothing to do, so that no job is lost
            self._stop()
        if self._process is None:
            self._errors.seek(0)
            self._errors.truncate()
            # a worker that is killed leaves its files behind, in a folder that this process removes
            if self._scratch is None:
                self._scratch = tempfile.mkdtemp(prefix="exactdrl-")
                # at the end of this process, too, if nobody closes this worker
                weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
            self._process = subprocess.Popen(  # noqa: S603 - our own worker
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=os.environ | {"TMPDIR": self._scratch, SCRATCH: self._scratch},
                text=True,
                encoding="ascii",
                # an interrupt from the terminal is the parent's to handle
                start_new_session=True,
            )
        return self._process

    def _post_mortem(self, code: int, job: Job) -> JobResult:
        if job.seconds is not None and code == -signal.SIGXCPU:
            return JobResult(LIMIT, f"over {job.seconds} CPU seconds", {}, {})
        if code < 0:
            return failed(f"the worker process was ended by signal {-code} ({signal.Signals(-code).name})")
        self._errors.seek(0)
        lines = self._errors.read()[-_TAIL:].decode("utf-8", "replace").strip().splitlines()
        return failed(f"the worker process ended with exit code {code}: {lines[-1] if lines else 'no message'}")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                with suppress(OSError):
                    process.stdin.close()  # it ends at once when its input does
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        scratch, self._scratch = self._scratch, None
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)

    def kill(self) -> None:
        """Ends the worker at once; its present job fails. It may be called from another thread."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Ends the worker."""
        self._stop()
        self._errors.close()
