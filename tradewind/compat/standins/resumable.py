"""What stands for ``ResumableJobMixin``? Operators that submit a job elsewhere submit a new one at each try."""

from __future__ import annotations

from typing import Any


class ResumableJobMixin:
    """Runs a job of another system to its end. A retry submits it again, since nothing is kept from the try before."""

    durable: bool = False
    external_id_key: str = "remote_job_id"

    def __init__(self, *args: Any, durable: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.durable = durable

    def submit_job(self, context: Any) -> Any:
        """Start the job and return its id; for subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no submit_job(). Give it one.")

    def poll_until_complete(self, external_id: Any, context: Any) -> None:
        """Wait for the job; for subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no poll_until_complete(). Give it one.")

    def get_job_result(self, external_id: Any, context: Any) -> Any:
        """Return what came of the job: nothing, unless a subclass says otherwise."""
        return None

    def execute_resumable(self, context: Any) -> Any:
        """Submit the job, wait for it and return its result."""
        external_id = self.submit_job(context)
        self.poll_until_complete(external_id, context)
        return self.get_job_result(external_id, context)
