# mypy: ignore-errors
"""Short circuits, latest-only, ``run_if`` and ``skip_if``, and tasks that skip themselves."""

from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.providers.standard.operators.python import PythonOperator, ShortCircuitOperator
from airflow.sdk import DAG, TaskGroup, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException


class Nop(EmptyOperator):
    """An empty operator that can be mapped."""

    def __init__(self, *, x=None, **fields):
        super().__init__(**fields)


def world(circuit):
    """Two steps of every rule, joins with a path of their own, a group, a mapped task, a setup and its teardown."""
    aside = Nop(task_id="aside")
    for rule in (
        "all_success",
        "all_done",
        "none_failed",
        "one_success",
        "none_failed_min_one_success",
        "always",
        "all_skipped",
        "none_skipped",
    ):
        first = Nop(task_id=f"first.{rule}", trigger_rule=rule)
        second = Nop(task_id=f"second.{rule}", trigger_rule=rule)
        circuit >> first >> second
        if rule != "one_success":  # it would run at once, or not, as it happens
            aside >> second
    with TaskGroup("g") as g:
        Nop(task_id="x") >> Nop(task_id="y")
    mapped = Nop.partial(task_id="mapped").expand(x=[1, 2])
    circuit >> [g, mapped] >> Nop(task_id="end", trigger_rule="all_done")
    setup, down = Nop(task_id="setup").as_setup(), Nop(task_id="down").as_teardown()
    circuit >> setup >> Nop(task_id="work") >> down
    setup >> down


for name, answer in {
    "true": True, "false": False, "zero": 0, "one": 1, "text": "x", "no_text": "", "none": None, "nothing": [],
    "list": ["a"],
}.items():  # fmt: skip
    for strict in (True, False):
        with DAG(f"circuit_{name}_{'all' if strict else 'direct'}"):

            @task.short_circuit(ignore_downstream_trigger_rules=strict)
            def circuit(given):
                return given

            world(circuit(answer))

with DAG("circuit_classic"):
    world(ShortCircuitOperator(task_id="circuit", python_callable=lambda: False))

with DAG("circuit_fails"):

    @task.short_circuit
    def circuit():
        raise ValueError("as asked")

    world(circuit())

with DAG("circuit_skips"):

    @task.short_circuit
    def circuit():
        raise AirflowSkipException("as asked")

    world(circuit())

with DAG("circuit_late"):
    # A descendant that has ended already stays as it is.
    @task
    def early():
        return "x"

    @task.short_circuit
    def circuit(_):
        return False

    @task
    def reader(got):
        return got

    first = early()
    cut = circuit(first)
    ended = Nop(task_id="ended", trigger_rule="always")
    cut >> ended
    cut >> Nop(task_id="never")
    reader(first)

with DAG("circuit_in_group"):
    with TaskGroup("g"):
        cut = ShortCircuitOperator(task_id="cut", python_callable=lambda: False)
        cut >> Nop(task_id="in_group")
    cut >> Nop(task_id="outside")
    Nop(task_id="free") >> Nop(task_id="joined", trigger_rule="none_failed") << cut

with DAG("circuit_mapped"):

    @task.short_circuit
    def cut(x):
        return x

    cut.expand(x=[True, False]) >> Nop(task_id="below") >> Nop(task_id="after", trigger_rule="all_done")

with DAG("conditions"):

    @task.run_if(lambda context: context["ti"].task_id == "wanted")
    @task
    def wanted():
        return "ran"

    @task.run_if(lambda context: context["ti"].task_id == "wanted", skip_message="not wanted")
    @task
    def unwanted():
        return "ran"

    @task.skip_if(lambda context: True)
    @task.bash
    def bash():
        return "echo hello"

    @task.skip_if(lambda context: context["params"]["p"] == 2)
    @task(params={"p": 1})
    def by_param():
        return "ran"

    @task.run_if(lambda context: context["dag_run"].run_id == "r1")
    @task.branch
    def branching():
        return "chosen"

    @task.run_if(lambda context: False)
    @task.branch
    def not_branching():
        return "chosen2"

    @task.skip_if(lambda context: 1 / 0)
    @task
    def broken():
        return "ran"

    for function in (wanted, unwanted, bash, by_param, broken):
        made = function()
        made >> Nop(task_id=f"{made.operator.task_id}.below")
        made >> Nop(task_id=f"{made.operator.task_id}.done", trigger_rule="all_done")
    branching() >> [Nop(task_id="chosen"), Nop(task_id="not_chosen")]
    not_branching() >> [Nop(task_id="chosen2"), Nop(task_id="not_chosen2")]

with DAG("conditions_mapped"):

    @task.run_if(lambda context: context["ti"].map_index != 1)
    @task
    def some(x):
        return x

    @task
    def read(given):
        return list(given)

    read(some.expand(x=["a", "b", "c"]))
    read.override(task_id="done", trigger_rule="all_done")(some.override(task_id="others").expand(x=["a", "b", "c"]))

with DAG("exceptions"):

    def throw(kind):
        raise {
            "skip": AirflowSkipException("m"),
            "fail": AirflowFailException("m"),
            "plain": AirflowException("m"),
            "value": ValueError("m"),
            "exit": SystemExit(0),
            "exit_one": SystemExit(1),
            "interrupt": KeyboardInterrupt(),
            "base": BaseException("m"),
            "stop": StopIteration(),
            "generator": GeneratorExit(),
            "memory": MemoryError(),
        }[kind]

    for kind in (
        "skip",
        "fail",
        "plain",
        "value",
        "exit",
        "exit_one",
        "interrupt",
        "base",
        "stop",
        "generator",
        "memory",
    ):
        PythonOperator(task_id=kind, python_callable=throw, op_args=[kind]) >> Nop(task_id=f"{kind}.below")
        PythonOperator(task_id=f"{kind}.retried", python_callable=throw, op_args=[kind], retries=1, retry_delay=0)

with DAG("bash_exits"):
    for code in (0, 1, 2, 99, 100, 255):
        BashOperator(task_id=f"exit{code}", bash_command=f"echo {code}; exit {code}")
    BashOperator(task_id="own_skip", bash_command="exit 7", skip_on_exit_code=7)
    BashOperator(task_id="own_skips", bash_command="exit 8", skip_on_exit_code=[7, 8])
    BashOperator(task_id="no_skip", bash_command="exit 99", skip_on_exit_code=None)
    BashOperator(task_id="killed", bash_command="kill -9 $$")
    BashOperator(task_id="retried", bash_command="exit {{ 0 if ti.try_number > 1 else 1 }}", retries=1, retry_delay=0)
    BashOperator(task_id="last_line", bash_command="echo one; echo two; echo; echo '  three  '")
    BashOperator(task_id="nothing", bash_command="true")
    BashOperator(task_id="not_pushed", bash_command="echo x", do_xcom_push=False)
    BashOperator(task_id="processed", bash_command="echo '[1, 2]'", output_processor=lambda text: text[::-1])
    BashOperator(task_id="appended", bash_command='echo "$X $Y"', env={"X": "{{ ds }}", "Y": "y"}, append_env=True)
    BashOperator(task_id="pipe_fails", bash_command="false | true")
    BashOperator(task_id="set_e", bash_command="set -e; false; echo x")
    BashOperator(task_id="folder", bash_command="pwd", cwd="/")
    BashOperator(task_id="no_folder", bash_command="pwd", cwd="/nowhere-at-all")
    BashOperator(task_id="unknown_command", bash_command="no-such-command-anywhere")

with DAG("latest_only_manual"):
    LatestOnlyOperator(task_id="latest") >> Nop(task_id="below") >> Nop(task_id="after", trigger_rule="all_done")

with DAG(
    "latest_only_scheduled",
    schedule="@daily",
    start_date=datetime(2024, 3, 1),
    end_date=datetime(2024, 3, 2),
    catchup=True,
):
    latest = LatestOnlyOperator(task_id="latest")
    latest >> Nop(task_id="below") >> Nop(task_id="after", trigger_rule="all_done")
    latest >> Nop(task_id="done", trigger_rule="all_done")
