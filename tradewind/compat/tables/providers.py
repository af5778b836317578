"""Which names of the provider packages do we have ourselves? Module -> its names.

``Name=module:attribute`` where another place is meant than ``places`` says.
"""

from __future__ import annotations

from typing import Final

PROVIDERS: Final[dict[str, str]] = {
    "airflow.providers.common.compat.assets": (
        "Asset AssetAlias AssetAliasDetails AssetAll AssetAny AssetDetails expand_alias_to_assets"
    ),
    "airflow.providers.common.compat.check": "require_provider_version",
    "airflow.providers.common.compat.connection": "get_async_connection get_async_extra_dejson",
    "airflow.providers.common.compat.hook": "get_async_hook",
    "airflow.providers.common.compat.lineage.entities": "Column File Table Tag User default_if_none",
    "airflow.providers.common.compat.lineage.hook": "get_hook_lineage_collector",
    "airflow.providers.common.compat.module_loading": "import_string is_valid_dotpath iter_namespace qualname",
    "airflow.providers.common.compat.notifier": "BaseNotifier",
    "airflow.providers.common.compat.openlineage.check": "require_openlineage_version",
    "airflow.providers.common.compat.openlineage.facet": (
        "BaseFacet ColumnLineageDatasetFacet Dataset DatasetFacet DocumentationDatasetFacet Error "
        "ErrorMessageRunFacet ExternalQueryRunFacet ExtractionErrorRunFacet Fields Identifier InputDataset InputField "
        "LifecycleStateChange LifecycleStateChangeDatasetFacet OutputDataset OutputStatisticsOutputDatasetFacet "
        "PreviousIdentifier RunFacet SQLJobFacet SchemaDatasetFacet SchemaDatasetFacetFields SymlinksDatasetFacet "
        "create_no_op"
    ),
    "airflow.providers.common.compat.openlineage.utils.spark": (
        "inject_parent_job_information_into_emr_serverless_properties "
        "inject_parent_job_information_into_glue_arguments inject_parent_job_information_into_spark_properties "
        "inject_transport_information_into_emr_serverless_properties inject_transport_information_into_glue_arguments "
        "inject_transport_information_into_spark_properties"
    ),
    "airflow.providers.common.compat.openlineage.utils.sql": "get_openlineage_facets_with_sql",
    "airflow.providers.common.compat.sdk": (
        "AIRFLOW_VAR_NAME_FORMAT_MAPPING AIRFLOW_V_3_0_PLUS "
        "AirflowConfigException AirflowException AirflowFailException AirflowNotFoundException "
        "AirflowOptionalProviderFeatureException AirflowPlugin AirflowSensorTimeout AirflowSkipException "
        "AirflowTaskTimeout Asset AssetAlias AssetAll AssetAny AssetLineageInfo BaseBranchOperator BaseHook "
        "BaseNotifier BaseOperator BaseOperatorLink BaseSensorOperator BranchMixIn Connection Context DAG "
        "DagRunState DagRunTriggerException DecoratedMappedOperator DecoratedOperator DownstreamTasksSkipped "
        "EdgeModifier ExceptionRetryPolicy HookLineage HookLineageCollector HookLineageReader KeywordParameters "
        "Label MappedOperator Metadata NoOpCollector ObjectStoragePath Param ParamValidationError PokeReturnValue "
        "ResumableJobMixin RetryAction RetryDecision RetryPolicy RetryRule SET_DURING_EXECUTION SkipMixin Stats "
        "TaskDecorator TaskDeferred TaskGroup TaskInstanceKey TaskInstanceState TriggerRule Variable WeightRule "
        "XCOM_RETURN_KEY XCom XComArg XComNotFound chain chain_linear conf context_merge context_to_airflow_vars "
        "cross_downstream dag determine_kwargs get_current_context get_hook_lineage_collector get_parsing_context "
        "get_unique_task_id hookimpl literal mask_secret poke_mode_only redact setup task task_decorator_factory "
        "task_group teardown timeout timezone"
    ),
    "airflow.providers.common.compat.standard.operators": (
        "BaseAsyncOperator BaseBranchOperator BaseOperator BranchMixIn PythonOperator ShortCircuitOperator "
        "_SERIALIZERS get_current_context is_async_callable"
    ),
    "airflow.providers.common.compat.version_compat": (
        "AIRFLOW_V_3_0_PLUS AIRFLOW_V_3_1_PLUS AIRFLOW_V_3_2_PLUS AIRFLOW_V_3_3_PLUS AIRFLOW_V_3_4_PLUS "
        "get_base_airflow_version_tuple"
    ),
    "airflow.providers.standard.exceptions": (
        "AirflowExternalTaskSensorException DuplicateStateError ExternalDagDeletedError ExternalDagFailedError "
        "ExternalDagNotFoundError ExternalTaskFailedError ExternalTaskGroupFailedError ExternalTaskGroupNotFoundError "
        "ExternalTaskNotFoundError HITLRejectException HITLTimeoutError HITLTriggerEventError"
    ),
    "airflow.providers.standard.hooks.filesystem": "FSHook",
    "airflow.providers.standard.hooks.package_index": "PackageIndexHook",
    "airflow.providers.standard.hooks.subprocess": "SubprocessHook SubprocessResult",
    "airflow.providers.standard.operators.bash": "BashOperator",
    "airflow.providers.standard.operators.branch": "BaseBranchOperator BranchMixIn",
    "airflow.providers.standard.operators.datetime": "BranchDateTimeOperator target_times_as_dates",
    "airflow.providers.standard.operators.empty": "EmptyOperator",
    "airflow.providers.standard.operators.hitl": "ApprovalOperator HITLBranchOperator HITLEntryOperator HITLOperator",
    "airflow.providers.standard.operators.latest_only": "LatestOnlyOperator",
    "airflow.providers.standard.operators.python": (
        "BranchExternalPythonOperator BranchPythonOperator BranchPythonVirtualenvOperator ExternalPythonOperator "
        "PythonOperator PythonVirtualenvOperator ShortCircuitOperator _SERIALIZERS get_current_context"
    ),
    "airflow.providers.standard.operators.trigger_dagrun": (
        "DagIsPaused TriggerDagRunLink TriggerDagRunOperator XCOM_LOGICAL_DATE_ISO XCOM_RUN_ID"
    ),
    "airflow.providers.standard.operators.weekday": "BranchDayOfWeekOperator",
    "airflow.providers.standard.sensors.bash": "BashSensor",
    "airflow.providers.standard.sensors.date_time": "DateTimeSensor DateTimeSensorAsync",
    "airflow.providers.standard.sensors.external_task": "ExternalDagLink ExternalTaskMarker ExternalTaskSensor",
    "airflow.providers.standard.sensors.filesystem": "FileSensor",
    "airflow.providers.standard.sensors.python": "PythonSensor",
    "airflow.providers.standard.sensors.time": "TimeSensor TimeSensorAsync",
    "airflow.providers.standard.sensors.time_delta": "TimeDeltaSensor TimeDeltaSensorAsync WaitSensor",
    "airflow.providers.standard.sensors.weekday": "DayOfWeekSensor",
    "airflow.providers.standard.triggers.external_task": "DagStateTrigger WorkflowTrigger",
    "airflow.providers.standard.triggers.file": "DirectoryFileDeleteTrigger FileDeleteTrigger FileTrigger",
    "airflow.providers.standard.triggers.hitl": (
        "HITLTrigger HITLTriggerEventFailurePayload HITLTriggerEventSuccessPayload"
    ),
    "airflow.providers.standard.triggers.temporal": "DateTimeTrigger TimeDeltaTrigger",
    "airflow.providers.standard.utils.skipmixin": (
        "SkipMixin XCOM_SKIPMIXIN_FOLLOWED XCOM_SKIPMIXIN_KEY XCOM_SKIPMIXIN_SKIPPED"
    ),
    "airflow.providers.standard.utils.weekday": "WeekDay",
    "airflow.providers.standard.version_compat": (
        "AIRFLOW_V_3_0_PLUS AIRFLOW_V_3_1_3_PLUS AIRFLOW_V_3_1_PLUS AIRFLOW_V_3_2_PLUS AIRFLOW_V_3_3_PLUS ArgNotSet "
        "BaseOperator get_base_airflow_version_tuple is_arg_set"
    ),
    "airflow.providers_manager": "DialectInfo HookInfo ProviderInfo ProvidersManager",
    "airflow.providers.common.compat.standard.triggers": "TimeDeltaTrigger",
    "airflow.providers.common.compat.standard.utils": (
        "SkipMixin XCOM_SKIPMIXIN_FOLLOWED XCOM_SKIPMIXIN_KEY XCOM_SKIPMIXIN_SKIPPED write_python_script"
    ),
    "airflow.providers.standard.utils.python_virtualenv": "write_python_script",
    "airflow.providers.standard.operators.smooth": "SmoothOperator",
}
