# mypy: ignore-errors
"""Assets: who is started by what, and what the started run sees of it."""

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetAlias, Metadata, asset, task

ONE, TWO, THREE = Asset("s3://bucket/one"), Asset("s3://bucket/two"), Asset(name="three", uri="x://three")
ALIAS = AssetAlias("alias")


def told(triggering_asset_events=None, dag_run=None, **context):
    """What a run that was started by assets sees."""
    events = {
        getattr(key, "uri", None) or str(key): sorted(
            [[event.source_dag_id, event.source_task_id, event.source_map_index, event.extra] for event in found],
            key=str,
        )
        for key, found in (triggering_asset_events or {}).items()
    }
    return [str(dag_run.run_type), str(dag_run.logical_date), "ds" in context, {str(k): v for k, v in events.items()}]


with DAG("producer"):

    @task(outlets=[ONE])
    def plain():
        return 1

    plain() >> EmptyOperator(task_id="below")

with DAG("producer_extra"):

    @task(outlets=[TWO])
    def by_accessor(outlet_events=None):
        outlet_events[TWO].extra = {"rows": 5}

    by_accessor()

with DAG("producer_metadata"):

    @task(outlets=[THREE])
    def by_yield():
        yield Metadata(THREE, extra={"k": "v"})

    by_yield()

with DAG("producer_alias"):

    @task(outlets=[ALIAS])
    def through(outlet_events=None):
        outlet_events[ALIAS].add(Asset("s3://bucket/of_alias"), extra={"by": "alias"})

    through()

with DAG("producer_fails"):
    BashOperator(task_id="bad", bash_command="exit 1", outlets=[Asset("s3://bucket/never")])
    BashOperator(task_id="gone", bash_command="exit 99", outlets=[Asset("s3://bucket/never")])

with DAG("producer_empty"):
    EmptyOperator(task_id="empty", outlets=[Asset("s3://bucket/empty")])

with DAG("producer_mapped"):

    @task(outlets=[Asset("s3://bucket/mapped")])
    def each(x):
        return x

    each.expand(x=[1])

with DAG("consumer_one", schedule=[ONE]):
    task(task_id="told")(told)()

with DAG("consumer_both", schedule=[ONE, TWO]):
    task(task_id="told")(told)()

with DAG("consumer_and", schedule=ONE & TWO & THREE):
    task(task_id="told")(told)()

with DAG("consumer_or_and", schedule=(ONE & TWO) | (Asset("s3://bucket/never") & Asset("s3://bucket/empty"))):
    task(task_id="told")(told)()

with DAG("consumer_or", schedule=THREE | Asset("s3://bucket/never")):
    task(task_id="told")(told)()

with DAG("consumer_name", schedule=[Asset(name="three", uri="x://three")]):
    task(task_id="told")(told)()

with DAG("consumer_alias", schedule=[ALIAS]):
    task(task_id="told")(told)()

with DAG("consumer_alias_target", schedule=[Asset("s3://bucket/of_alias")]):
    task(task_id="told")(told)()

with DAG("consumer_never", schedule=[Asset("s3://bucket/never")]):
    task(task_id="told")(told)()

with DAG("consumer_empty", schedule=[Asset("s3://bucket/empty")]):
    task(task_id="told")(told)()

with DAG("consumer_mapped", schedule=[Asset("s3://bucket/mapped")]):
    task(task_id="told")(told)()

with DAG("consumer_inlets", schedule=[THREE]):

    @task(inlets=[THREE])
    def sees(inlet_events=None):
        return [[event.extra, event.source_dag_id] for event in inlet_events[THREE]]

    sees()


@asset(uri="s3://bucket/decorated", schedule=None)
def decorated(self, context):
    return [self.name, self.uri, context["dag_run"].run_id]


@asset(schedule=decorated)
def follows(context, decorated):
    return [decorated.uri, sorted(context["triggering_asset_events"][decorated][0].extra)]


@asset.multi(outlets=[Asset("multi_a"), Asset("multi_b")], schedule=None)
def several():
    return "several"


with DAG("consumer_multi", schedule=Asset("multi_a") & Asset("multi_b")):
    task(task_id="told")(told)()
