"""Branching by trigger rules: what runs when something is skipped or fails.

The parameter `weather` decides. With `rain` the picnic is skipped and the museum is not; with `storm` the forecast
itself fails, the rescue plan runs, and the run is still a success, because its last task is.
"""

from __future__ import annotations

from tradewind import DAG, EmptyOperator, Param, task
from tradewind.sdk.exceptions import AirflowFailException, AirflowSkipException

with DAG(
    "example_trigger_rules",
    schedule=None,
    is_paused_upon_creation=False,
    params={"weather": Param("sun", enum=["sun", "rain", "storm"])},
    tags=["example"],
    doc_md=__doc__,
):

    @task
    def forecast(weather: str) -> str:
        if weather == "storm":
            raise AirflowFailException("No forecast in a storm.")
        return weather

    @task
    def picnic(weather: str) -> None:
        if weather != "sun":
            raise AirflowSkipException("No picnic in the rain.")

    @task
    def museum(weather: str) -> None:
        if weather != "rain":
            raise AirflowSkipException("Too fine for a museum.")

    # Runs when something above failed; otherwise it is skipped.
    @task(trigger_rule="one_failed")
    def rescue_plan() -> None:
        print("We stay at home.")

    # Runs when nothing above failed and at least one succeeded: one of the two ways is enough.
    dinner = EmptyOperator(task_id="dinner", trigger_rule="none_failed_min_one_success")
    # Runs when all above has ended, however it ended.
    bed = EmptyOperator(task_id="bed", trigger_rule="all_done")

    told = forecast("{{ params.weather }}")
    ways = [picnic(told), museum(told)]
    ways >> dinner
    told >> rescue_plan() >> bed
    dinner >> bed
