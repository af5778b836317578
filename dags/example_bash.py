"""Shell commands: templates, an environment, output passed on, retries, and a skip by exit code.

`flaky` fails at its first try and succeeds at its second; its log has a file for each.
"""

from __future__ import annotations

from datetime import timedelta

from tradewind import DAG, BashOperator, chain

with DAG(
    "example_bash",
    schedule=None,
    is_paused_upon_creation=False,
    tags=["example"],
    doc_md=__doc__,
):
    # The last line of the output is the task's XCom.
    count = BashOperator(task_id="count", bash_command="ls / | wc -l")

    greet = BashOperator(
        task_id="greet",
        bash_command='echo "$GREETING from run {{ run_id }}: / holds {{ ti.xcom_pull(task_ids="count") }} entries"',
        env={"GREETING": "Hello"},
        append_env=True,
    )

    flaky = BashOperator(
        task_id="flaky",
        bash_command='echo "try {{ ti.try_number }}"; test "{{ ti.try_number }}" -ge 2',
        retries=2,
        retry_delay=timedelta(seconds=2),
    )

    # Exit code 99 means: skip me.
    skip = BashOperator(task_id="skip", bash_command="exit 99")

    chain(count, [greet, flaky], skip)
