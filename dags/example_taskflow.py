"""TaskFlow: functions become tasks, and what one returns is what the next one gets.

Trigger it with parameters: `tradewind dags trigger example_taskflow --conf '{"words": "to be or not to be"}'`
"""

from __future__ import annotations

from tradewind import Param, dag, task


@dag(
    schedule=None,
    is_paused_upon_creation=False,
    params={"words": Param("the quick brown fox jumps over the lazy dog", type="string", minLength=1)},
    tags=["example"],
    doc_md=__doc__,
)
def example_taskflow():
    @task
    def split(words: str) -> list[str]:
        return words.split()

    # A dict of several outputs: the values can be used one by one.
    @task(multiple_outputs=True)
    def measure(words: list[str]) -> dict[str, object]:
        return {"longest": max(words, key=len), "letters": sum(map(len, words))}

    @task
    def tell(longest: str, letters: int) -> None:
        print(f"{letters} letters, and the longest word is {longest!r}")

    # Calling a task does not run it: it says what depends on what. The template is filled in when the task runs.
    measured = measure(split("{{ params.words }}"))
    tell(measured["longest"], measured["letters"])


example_taskflow()
