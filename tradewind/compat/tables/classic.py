"""Which paths of Airflow 2 are there, as far as Airflow 3.3 takes them? Module -> its names.

``Name=module:attribute`` where another place is meant than ``places`` says.
"""

from __future__ import annotations

from typing import Final

CLASSIC: Final[dict[str, str]] = {
    "airflow": "AirflowException Asset DAG XComArg __version__",
    "airflow.api_fastapi.auth.managers.models.resource_details": "AccessView AssetAliasDetails AssetDetails",
    "airflow.configuration": "AIRFLOW_CONFIG AIRFLOW_HOME conf get_airflow_home",
    "airflow.decorators": "dag setup task task_group teardown",
    "airflow.decorators.base": (
        "DecoratedMappedOperator DecoratedOperator TaskDecorator get_unique_task_id task_decorator_factory"
    ),
    "airflow.exceptions": (
        "AirflowBadRequest AirflowClearRunningTaskException AirflowClusterPolicyError AirflowClusterPolicySkipDag "
        "AirflowClusterPolicyViolation AirflowConfigException AirflowDagCycleException "
        "AirflowDagDuplicatedIdException AirflowException AirflowFailException AirflowFileParseException "
        "AirflowInternalRuntimeError AirflowNotFoundException AirflowOptionalProviderFeatureException "
        "AirflowProviderDeprecationWarning AirflowRescheduleException AirflowSensorTimeout AirflowSkipException "
        "AirflowTaskTerminated AirflowTaskTimeout AirflowTimetableInvalid AirflowUnsupportedFileTypeException "
        "ConnectionNotUnique DagCodeNotFound DagNotFound DagNotPartitionedError DagRunAlreadyExists DagRunNotFound "
        "DagRunTypeNotAllowed DeserializationError DeserializingResultError DuplicateTaskIdFound FileSyntaxError "
        "InvalidPartitionKeyError InvalidStatsNameException NodeNotFound NotMapped ParamValidationError "
        "PodMutationHookException PodReconciliationError PoolNotFound RemovedInAirflow4Warning SerializationError "
        "TaskAlreadyInTaskGroup TaskDeferralError TaskDeferralTimeout TaskDeferred TaskInstanceNotFound TaskNotFound "
        "UnknownExecutorException VariableNotUnique XComNotFound"
    ),
    "airflow.hooks.base": "BaseHook",
    "airflow.hooks.filesystem": "FSHook",
    "airflow.hooks.package_index": "PackageIndexHook",
    "airflow.hooks.subprocess": "SubprocessHook",
    "airflow.io": "Properties attach get_fs has_fs",
    "airflow.io.path": "ObjectStoragePath",
    "airflow.io.typedef": "Properties",
    "airflow.lineage": "hook",
    "airflow.lineage.hook": (
        "HookLineage HookLineageCollector HookLineageReader NoOpCollector get_hook_lineage_collector"
    ),
    "airflow.listeners": "hookimpl",
    "airflow.listeners.types": "AssetEvent",
    "airflow.macros": (
        "datetime=sdk.macros:datetime datetime_diff_for_humans dateutil ds_add ds_format json random time timedelta "
        "uuid"
    ),
    "airflow.models": (
        "Base BaseOperator BaseOperatorLink BaseXCom Callback Connection DAG DagBag DagModel DagRun DagTag DagWarning "
        "DbCallbackRequest Deadline DeadlineAlert HITLDetail ID_LEN Job Log MappedOperator Param Pool "
        "RenderedTaskInstanceFields SkipMixin TaskInstance TaskReschedule Team Trigger Variable XCom "
        "clear_task_instances"
    ),
    "airflow.models.abstractoperator": (
        "AbstractOperator DEFAULT_OWNER DEFAULT_QUEUE DEFAULT_TASK_EXECUTION_TIMEOUT TaskStateChangeCallback"
    ),
    "airflow.models.asset": (
        "AssetActive AssetAliasModel AssetDagRunQueue AssetEvent=compat.standins.database:AssetEvent AssetModel "
        "AssetPartitionDagRun AssetWatcherModel DagScheduleAssetAliasReference DagScheduleAssetNameReference "
        "DagScheduleAssetReference DagScheduleAssetUriReference PartitionedAssetKeyLog TaskInletAssetReference "
        "TaskOutletAssetReference expand_alias_to_assets"
    ),
    "airflow.models.asset_state_store": "AssetStateStoreModel",
    "airflow.models.backfill": (
        "AlreadyRunningBackfill Backfill BackfillDagRun BackfillDagRunExceptionReason DagNonPeriodicScheduleException "
        "InvalidBackfillConf InvalidBackfillDate InvalidBackfillDateRange InvalidBackfillDirection "
        "InvalidReprocessBehavior NoBackfillRunsToCreate ReprocessBehavior UnknownActiveBackfills"
    ),
    "airflow.models.base": "Base ID_LEN StringID TaskInstanceDependencies",
    "airflow.models.baseoperator": "BaseOperator chain chain_linear cross_downstream",
    "airflow.models.baseoperatorlink": "BaseOperatorLink",
    "airflow.models.callback": (
        "Callback=compat.standins.database:Callback CallbackDefinitionProtocol CallbackKey CallbackType "
        "DagProcessorCallback ExecutorCallback ImportPathCallbackDefProtocol ImportPathExecutorCallbackDefProtocol "
        "TriggererCallback"
    ),
    "airflow.models.connection": "AirflowSecretsBackendAccessDenied CONN_ID_MAX_LEN Connection",
    "airflow.models.connection_test": "ConnectionTestKey ConnectionTestRequest ConnectionTestState",
    "airflow.models.crypto": "FernetFieldsMixin FernetProtocol",
    "airflow.models.dag": "DAG DagModel DagOwnerAttributes DagTag InconsistentDataInterval TAG_MAX_LEN dag",
    "airflow.models.dag_favorite": "DagFavorite",
    "airflow.models.dag_version": "DagVersion",
    "airflow.models.dagbag": "CachedDBDagBag DBDagBag DagBag DagPriorityParsingRequest FileLoadStat",
    "airflow.models.dagbundle": "DagBundleModel",
    "airflow.models.dagcode": "DagCode",
    "airflow.models.dagrun": "DagRun DagRunNote TISchedulingDecision",
    "airflow.models.dagwarning": "DagWarning DagWarningType",
    "airflow.models.db_callback_request": "DbCallbackRequest",
    "airflow.models.deadline": "Deadline DeadlineReferenceType ReferenceModels",
    "airflow.models.deadline_alert": "DeadlineAlert=compat.standins.database:DeadlineAlert",
    "airflow.models.errors": "ParseImportError",
    "airflow.models.expandinput": (
        "NotFullyPopulated SchedulerDictOfListsExpandInput SchedulerExpandInput SchedulerListOfDictsExpandInput "
        "SchedulerMappedArgument"
    ),
    "airflow.models.hitl": "HITLDetail HITLDetailPropertyMixin HITLUser JSONExtract",
    "airflow.models.hitl_history": "HITLDetailHistory",
    "airflow.models.log": "Log",
    "airflow.models.param": "Param ParamsDict",
    "airflow.models.pool": "Pool PoolStats",
    "airflow.models.referencemixin": "ReferenceMixin",
    "airflow.models.renderedtifields": "RenderedTaskInstanceFields",
    "airflow.models.revoked_token": "RevokedToken",
    "airflow.models.serialized_dag": "DagWriteMetadata SerializedDagModel",
    "airflow.models.skipmixin": "SkipMixin",
    "airflow.models.task_state_store": "TaskStateStoreModel",
    "airflow.models.taskinstance": (
        "OutletEventPayload TaskInstance TaskInstanceKey TaskInstanceNote clear_task_instances"
    ),
    "airflow.models.taskinstancehistory": "TaskInstanceHistory",
    "airflow.models.taskinstancekey": "TaskInstanceKey",
    "airflow.models.tasklog": "LogTemplate",
    "airflow.models.taskmap": "TaskMap TaskMapVariant",
    "airflow.models.taskmixin": "DAGNode DependencyMixin",
    "airflow.models.taskreschedule": "TaskReschedule",
    "airflow.models.team": "Team",
    "airflow.models.trigger": "TRIGGER_FAIL_REPR Trigger TriggerFailureReason",
    "airflow.models.variable": "AirflowSecretsBackendAccessDenied Variable",
    "airflow.models.xcom": "BaseXCom LazyXComSelectSequence XCOM_RETURN_KEY XCom XComModel",
    "airflow.models.xcom_arg": "XComArg",
    "airflow.notifications.basenotifier": "BaseNotifier",
    "airflow.observability.stats": "Stats decr gauge incr initialize normalize_name_for_stats timer timing",
    "airflow.operators.bash": "BashOperator",
    "airflow.operators.branch": "BaseBranchOperator BranchMixIn",
    "airflow.operators.datetime": "BranchDateTimeOperator",
    "airflow.operators.empty": "EmptyOperator",
    "airflow.operators.latest_only": "LatestOnlyOperator",
    "airflow.operators.python": (
        "BranchExternalPythonOperator BranchPythonOperator BranchPythonVirtualenvOperator ExternalPythonOperator "
        "PythonOperator PythonVirtualenvOperator ShortCircuitOperator get_current_context"
    ),
    "airflow.operators.trigger_dagrun": "TriggerDagRunOperator",
    "airflow.operators.weekday": "BranchDayOfWeekOperator",
    "airflow.partition_mappers": (
        "AllowedKeyMapper ChainMapper DayWindow FanOutMapper FixedKeyMapper HourWindow IdentityMapper MinimumCount "
        "MonthWindow PartitionMapper ProductMapper QuarterWindow RollupMapper SegmentWindow StartOfDayMapper "
        "StartOfHourMapper StartOfMonthMapper StartOfQuarterMapper StartOfWeekMapper StartOfYearMapper WaitForAll "
        "WeekWindow Window YearWindow"
    ),
    "airflow.partition_mappers.allowed_key": "AllowedKeyMapper",
    "airflow.partition_mappers.base": "PartitionMapper RollupMapper",
    "airflow.partition_mappers.chain": "ChainMapper",
    "airflow.partition_mappers.fixed_key": "FixedKeyMapper",
    "airflow.partition_mappers.identity": "IdentityMapper",
    "airflow.partition_mappers.product": "ProductMapper",
    "airflow.partition_mappers.temporal": (
        "FanOutMapper StartOfDayMapper StartOfHourMapper StartOfMonthMapper StartOfQuarterMapper StartOfWeekMapper "
        "StartOfYearMapper"
    ),
    "airflow.partition_mappers.wait_policy": "MinimumCount WaitForAll WaitPolicy",
    "airflow.partition_mappers.window": (
        "DayWindow HourWindow MonthWindow QuarterWindow SegmentWindow WeekWindow Window YearWindow"
    ),
    "airflow.plugins_manager": "AirflowPlugin",
    "airflow.policies": "get_airflow_context_vars hookimpl=plugins.hooks:policy pod_mutation_hook",
    "airflow.secrets": "BaseSecretsBackend DEFAULT_SECRETS_SEARCH_PATH",
    "airflow.secrets.base_secrets": "BaseSecretsBackend DEFAULT_SECRETS_SEARCH_PATH",
    "airflow.secrets.environment_variables": "CONN_ENV_PREFIX EnvironmentVariablesBackend VAR_ENV_PREFIX",
    "airflow.sensors.base": "BaseSensorOperator PokeReturnValue poke_mode_only",
    "airflow.sensors.bash": "BashSensor",
    "airflow.sensors.date_time": "DateTimeSensor DateTimeSensorAsync",
    "airflow.sensors.external_task": "ExternalDagLink ExternalTaskMarker ExternalTaskSensor",
    "airflow.sensors.filesystem": "FileSensor",
    "airflow.sensors.python": "PythonSensor",
    "airflow.sensors.time_delta": "TimeDeltaSensor TimeDeltaSensorAsync",
    "airflow.sensors.time_sensor": "TimeSensor TimeSensorAsync",
    "airflow.sensors.weekday": "DayOfWeekSensor",
    "airflow.settings": (
        "AIRFLOW_HOME AsyncSession DAGS_FOLDER NonScopedSession PLUGINS_FOLDER Session SkipDBTestsSession "
        "async_engine get_airflow_context_vars initialize pod_mutation_hook"
    ),
    "airflow.stats": "Stats",
    "airflow.task.priority_strategy": "PriorityWeightStrategy",
    "airflow.task.trigger_rule": "TriggerRule",
    "airflow.task.weight_rule": "WeightRule",
    "airflow.timetables.assets": "AssetOrTimeSchedule",
    "airflow.timetables.base": "DagRunInfo DataInterval TimeRestriction Timetable",
    "airflow.timetables.events": "EventsTimetable",
    "airflow.timetables.interval": "CronDataIntervalTimetable Delta DeltaDataIntervalTimetable",
    "airflow.timetables.simple": (
        "AssetTriggeredTimetable BaseAsset ContinuousTimetable NullTimetable OnceTimetable PartitionedAssetTimetable "
        "PartitionedAtRuntime"
    ),
    "airflow.timetables.trigger": (
        "CronPartitionTimetable CronTriggerTimetable DeltaTriggerTimetable MultipleCronTriggerTimetable"
    ),
    "airflow.triggers.base": (
        "BaseEventTrigger BaseTaskEndEvent BaseTrigger StartTriggerArgs TaskFailedEvent TaskSkippedEvent "
        "TaskSuccessEvent TriggerEvent"
    ),
    "airflow.triggers.external_task": "DagStateTrigger WorkflowTrigger",
    "airflow.triggers.file": "FileTrigger",
    "airflow.triggers.temporal": "DateTimeTrigger TimeDeltaTrigger",
    "airflow.utils.context": "ConnectionAccessor Context VariableAccessor context_copy_partial context_merge",
    "airflow.utils.dates": "cron_presets datetime_to_nano",
    "airflow.utils.deprecation_tools": "DeprecatedImportWarning add_deprecated_classes getattr_with_deprecation",
    "airflow.utils.edgemodifier": "Label",
    "airflow.utils.email": "build_mime_message get_email_address_list send_email send_email_smtp send_mime_email",
    "airflow.utils.hashlib_wrapper": "md5",
    "airflow.utils.helpers": (
        "CAMELCASE_TO_SNAKE_CASE_REGEX GROUP_KEY_REGEX KEY_REGEX as_flattened_list ask_yesno at_most_one chunks "
        "convert_camel_to_snake exactly_one is_container merge_dicts parse_template_string partition "
        "prevent_duplicates prune_dict render_template render_template_as_native render_template_to_string "
        "validate_key"
    ),
    "airflow.utils.json": "XComDecoder XComEncoder",
    "airflow.utils.log.logging_mixin": "ANSI_ESCAPE LoggingMixin remove_escape_codes",
    "airflow.utils.net": "get_host_ip_address get_hostname getfqdn",
    "airflow.utils.operator_helpers": "KeywordParameters determine_kwargs make_kwargs_callable",
    "airflow.utils.operator_resources": (
        "CpuResource DiskResource EB GB GpuResource MB PB RamResource Resource Resources TB"
    ),
    "airflow.utils.platform": "IS_WINDOWS getuser is_tty",
    "airflow.utils.process_utils": "execute_in_subprocess execute_in_subprocess_with_kwargs patch_environ",
    "airflow.utils.retries": "retry_db_transaction",
    "airflow.utils.session": "NEW_SESSION create_session create_session_async provide_session",
    "airflow.utils.state": "DagRunState IntermediateTIState JobState State TaskInstanceState TerminalTIState",
    "airflow.utils.strings": "TRUE_LIKE_VALUES get_random_string to_boolean",
    "airflow.utils.task_group": "TaskGroup",
    "airflow.utils.thread_safe_dict": "ThreadSafeDict",
    "airflow.utils.timeout": "timeout",
    "airflow.utils.timezone": "coerce_datetime convert_to_utc datetime from_timestamp make_naive parse utc utcnow",
    "airflow.utils.trigger_rule": "TriggerRule",
    "airflow.utils.types": "ArgNotSet DagRunTriggeredByType DagRunType NOTSET",
    "airflow.utils.weight_rule": "DB_SAFE_MAXIMUM DB_SAFE_MINIMUM WeightRule db_safe_priority",
    "airflow.utils.xcom": "XCOM_RETURN_KEY",
    "airflow.utils.yaml": "dump safe_load",
    "airflow.version": "version",
    "airflow.operators.smooth": "SmoothOperator",
}
