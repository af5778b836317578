"""Which names of ``airflow.sdk`` are there? Module -> its names.

``Name=module:attribute`` where another place is meant than ``places`` says.
"""

from __future__ import annotations

from typing import Final

SDK: Final[dict[str, str]] = {
    "airflow.sdk": (
        "AllowedKeyMapper Asset AssetAccessControl AssetAlias AssetAll AssetAny AssetOrTimeSchedule AssetWatcher "
        "AsyncCallback BaseAsyncOperator BaseBranchOperator BaseDeadlineReference BaseHook BaseNotifier BaseOperator "
        "BaseOperatorLink BaseSensorOperator BaseXCom BranchMixIn ChainMapper Connection Context "
        "CronDataIntervalTimetable CronPartitionTimetable CronTriggerTimetable DAG DagRunState DayWindow "
        "DeadlineAlert DeadlineReference "
        "DeltaDataIntervalTimetable DeltaTriggerTimetable EdgeModifier EventsTimetable ExceptionRetryPolicy "
        "FanOutMapper FixedKeyMapper HourWindow IdentityMapper Label Metadata MinimumCount MonthWindow "
        "MultipleCronTriggerTimetable NEVER_EXPIRE ObjectStoragePath Param ParamsDict PartitionMapper "
        "PartitionedAssetTimetable PartitionedAtRuntime PokeReturnValue ProductMapper QuarterWindow ResumableJobMixin "
        "RetryAction RetryDecision RetryPolicy RetryRule RollupMapper SegmentWindow SkipMixin StartOfDayMapper "
        "StartOfHourMapper StartOfMonthMapper StartOfQuarterMapper StartOfWeekMapper StartOfYearMapper SyncCallback "
        "TaskGroup TaskInstance TaskInstanceState TriggerRule Variable WaitForAll WeekWindow WeightRule Window "
        "XComArg YearWindow asset chain chain_linear conf cross_downstream dag deadline_reference get_current_context "
        "get_parsing_context lineage literal macros result setup task task_group teardown"
    ),
    "airflow.sdk.api.datamodels._generated": "TaskInstanceState",
    "airflow.sdk.bases.branch": "BaseBranchOperator BranchMixIn",
    "airflow.sdk.bases.decorator": (
        "DecoratedMappedOperator DecoratedOperator KeywordParameters Task TaskDecorator determine_kwargs "
        "get_unique_task_id is_async_callable task_decorator_factory unwrap_callable unwrap_partial"
    ),
    "airflow.sdk.bases.hook": "BaseHook",
    "airflow.sdk.bases.notifier": "BaseNotifier",
    "airflow.sdk.bases.operator": (
        "BaseAsyncOperator BaseOperator BaseOperatorMeta DB_SAFE_MAXIMUM DB_SAFE_MINIMUM TRIGGER_FAIL_REPR "
        "TriggerFailureReason chain chain_linear cross_downstream db_safe_priority"
    ),
    "airflow.sdk.bases.operatorlink": "BaseOperatorLink",
    "airflow.sdk.bases.resumablejobmixin": "ResumableJobMixin",
    "airflow.sdk.bases.secrets_backend": "BaseSecretsBackend",
    "airflow.sdk.bases.sensor": "BaseSensorOperator PokeReturnValue poke_mode_only",
    "airflow.sdk.bases.skipmixin": "SkipMixin XCOM_SKIPMIXIN_FOLLOWED XCOM_SKIPMIXIN_KEY XCOM_SKIPMIXIN_SKIPPED",
    "airflow.sdk.bases.timetable": "BaseTimetable",
    "airflow.sdk.bases.xcom": "BaseXCom TIKeyProtocol",
    "airflow.sdk.configuration": "conf",
    "airflow.sdk.definitions._internal.abstractoperator": (
        "AbstractOperator DEFAULT_EMAIL_ON_FAILURE DEFAULT_EMAIL_ON_RETRY DEFAULT_EXECUTOR "
        "DEFAULT_IGNORE_FIRST_DEPENDS_ON_PAST DEFAULT_OWNER DEFAULT_POOL_NAME DEFAULT_POOL_SLOTS "
        "DEFAULT_PRIORITY_WEIGHT DEFAULT_QUEUE DEFAULT_RETRIES DEFAULT_RETRY_DELAY DEFAULT_TASK_EXECUTION_TIMEOUT "
        "DEFAULT_TRIGGER_RULE DEFAULT_WAIT_FOR_PAST_DEPENDS_BEFORE_SKIPPING MAX_RETRY_DELAY "
        "TaskStateChangeCallback TaskStateChangeCallbackAttrType"
    ),
    "airflow.sdk.definitions._internal.expandinput": "MappedArgument",
    "airflow.sdk.definitions._internal.logging_mixin": "LoggingMixin",
    "airflow.sdk.definitions._internal.mixins": "DependencyMixin",
    "airflow.sdk.definitions._internal.node": (
        "CAMELCASE_TO_SNAKE_CASE_REGEX DAGNode GROUP_KEY_REGEX KEY_REGEX validate_group_key validate_key"
    ),
    "airflow.sdk.definitions._internal.types": "ArgNotSet NOTSET SET_DURING_EXECUTION SetDuringExecution is_arg_set",
    "airflow.sdk.definitions.asset": (
        "Asset AssetAccessControl AssetAlias AssetAll AssetAny AssetBooleanCondition AssetNameRef AssetRef "
        "AssetUriRef AssetWatcher BaseAsset Dataset=sdk.assets.definitions:Dataset Model"
    ),
    "airflow.sdk.definitions.asset.access_control": "AssetAccessControl",
    "airflow.sdk.definitions.asset.decorators": "asset",
    "airflow.sdk.definitions.asset.metadata": "Metadata",
    "airflow.sdk.definitions.callback": "AsyncCallback Callback SyncCallback",
    "airflow.sdk.definitions.connection": "Connection",
    "airflow.sdk.definitions.context": (
        "AirflowParsingContext Context context_merge get_current_context get_parsing_context render_template "
        "render_template_as_native render_template_to_string"
    ),
    "airflow.sdk.definitions.dag": "DAG DagStateChangeCallback ScheduleArg ScheduleInterval TAG_MAX_LEN dag",
    "airflow.sdk.definitions.deadline": (
        "AverageRuntimeDeadline BaseDeadlineReference DagRunLogicalDateDeadline DagRunQueuedAtDeadline DeadlineAlert "
        "DeadlineReference FixedDatetimeDeadline VariableInterval deadline_reference AsyncCallback SyncCallback"
    ),
    "airflow.sdk.definitions.decorators": "TaskDecorator dag result setup task task_group teardown",
    "airflow.sdk.definitions.decorators.setup_teardown": "ContextWrapper context_wrapper",
    "airflow.sdk.definitions.decorators.task_group": "task_group",
    "airflow.sdk.definitions.edges": "EdgeInfoType EdgeModifier Label",
    "airflow.sdk.definitions.mappedoperator": "MappedOperator OperatorPartial prevent_duplicates",
    "airflow.sdk.definitions.operator_resources": (
        "CpuResource DiskResource EB GB GpuResource MB PB RamResource Resource Resources TB"
    ),
    "airflow.sdk.definitions.param": "DagParam Param ParamsDict",
    "airflow.sdk.definitions.partition_mappers.allowed_key": "AllowedKeyMapper",
    "airflow.sdk.definitions.partition_mappers.base": "PartitionMapper RollupMapper",
    "airflow.sdk.definitions.partition_mappers.chain": "ChainMapper",
    "airflow.sdk.definitions.partition_mappers.fixed_key": "FixedKeyMapper",
    "airflow.sdk.definitions.partition_mappers.identity": "IdentityMapper",
    "airflow.sdk.definitions.partition_mappers.product": "ProductMapper",
    "airflow.sdk.definitions.partition_mappers.temporal": (
        "FanOutMapper StartOfDayMapper StartOfHourMapper StartOfMonthMapper StartOfQuarterMapper StartOfWeekMapper "
        "StartOfYearMapper"
    ),
    "airflow.sdk.definitions.partition_mappers.wait_policy": "MinimumCount WaitForAll WaitPolicy",
    "airflow.sdk.definitions.partition_mappers.window": (
        "DayWindow HourWindow MonthWindow QuarterWindow SegmentWindow WeekWindow Window YearWindow"
    ),
    "airflow.sdk.definitions.retry_policy": (
        "ExceptionRetryPolicy ExceptionSpec RetryAction RetryDecision RetryPolicy RetryRule"
    ),
    "airflow.sdk.definitions.taskgroup": "MappedTaskGroup TaskGroup",
    "airflow.sdk.definitions.template": "literal",
    "airflow.sdk.definitions.timetables.assets": (
        "AssetOrTimeSchedule AssetTriggeredTimetable PartitionedAssetTimetable PartitionedAtRuntime"
    ),
    "airflow.sdk.definitions.timetables.events": "EventsTimetable",
    "airflow.sdk.definitions.timetables.interval": "CronDataIntervalTimetable Delta DeltaDataIntervalTimetable",
    "airflow.sdk.definitions.timetables.simple": "ContinuousTimetable NullTimetable OnceTimetable",
    "airflow.sdk.definitions.timetables.trigger": (
        "CronPartitionTimetable CronTriggerTimetable DeltaTriggerTimetable MultipleCronTriggerTimetable"
    ),
    "airflow.sdk.definitions.variable": "Variable",
    "airflow.sdk.definitions.xcom_arg": "ConcatXComArg MapXComArg XComArg ZipXComArg",
    "airflow.sdk.exceptions": (
        "AirflowDagCycleException AirflowException AirflowFailException AirflowInactiveAssetInInletOrOutletException "
        "AirflowNotFoundException AirflowOptionalProviderFeatureException AirflowRescheduleException "
        "AirflowRuntimeError AirflowSecretsBackendAccessDenied AirflowSensorTimeout AirflowSkipException "
        "AirflowTaskTerminated AirflowTaskTimeout AirflowTimetableInvalid DagRunTriggerException "
        "DownstreamTasksSkipped DuplicateTaskIdFound FailFastDagInvalidTriggerRule NodeNotFound ParamValidationError "
        "RemovedInAirflow4Warning TaskAlreadyInTaskGroup TaskAlreadyRunningError TaskAwaitingInput TaskDeferralError "
        "TaskDeferralTimeout TaskDeferred TaskNotFound UnmappableXComTypePushed XComForMappingNotPushed XComNotFound"
    ),
    "airflow.sdk.execution_time.callback_runner": "ExecutionCallableRunner",
    "airflow.sdk.execution_time.context": (
        "AIRFLOW_VAR_NAME_FORMAT_MAPPING ConnectionAccessor DEFAULT_FORMAT_PREFIX ENV_VAR_FORMAT_PREFIX NEVER_EXPIRE "
        "VariableAccessor context_to_airflow_vars"
    ),
    "airflow.sdk.execution_time.lazy_sequence": "LazyXComSequence",
    "airflow.sdk.execution_time.macros": "datetime_diff_for_humans ds_add ds_format",
    "airflow.sdk.execution_time.secrets_masker": "mask_secret redact",
    "airflow.sdk.execution_time.task_runner": "RuntimeTaskInstance TaskRunnerMarker parse",
    "airflow.sdk.execution_time.timeout": "TimeoutPosix timeout",
    "airflow.sdk.execution_time.xcom": "XCom resolve_xcom_backend",
    "airflow.sdk.io": "ObjectStoragePath Properties attach get_fs has_fs",
    "airflow.sdk.io.fs": "get_fs has_fs",
    "airflow.sdk.io.path": "ObjectStoragePath",
    "airflow.sdk.io.store": "ObjectStore attach",
    "airflow.sdk.io.typedef": "Properties",
    "airflow.sdk.lineage": (
        "AssetLineageInfo ExtraLineageInfo HookLineage HookLineageCollector HookLineageReader MAX_COLLECTED_ASSETS "
        "MAX_COLLECTED_EXTRA NoOpCollector get_hook_lineage_collector"
    ),
    "airflow.sdk.log": "amask_secret mask_secret redact",
    "airflow.sdk.module_loading": "import_string is_valid_dotpath iter_namespace qualname",
    "airflow.sdk.observability": "trace",
    "airflow.sdk.observability.stats": "Stats decr gauge incr initialize normalize_name_for_stats timer timing",
    "airflow.sdk.plugins_manager": "AirflowPlugin",
    "airflow.sdk.providers_manager_runtime": "ProvidersManagerTaskRuntime",
    "airflow.sdk.timezone": "coerce_datetime convert_to_utc datetime from_timestamp make_naive parse utc utcnow",
    "airflow.sdk.types": (
        "DagRunProtocol OutletEventAccessorProtocol OutletEventAccessorsProtocol RuntimeTaskInstanceProtocol "
        "TaskInstance TaskInstanceKey WeightRuleParam WeightRuleProtocol"
    ),
    "airflow.sdk.yaml": "dump safe_load",
}
