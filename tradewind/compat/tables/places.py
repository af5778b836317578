"""Where does Tradewind have what Airflow calls so? Module below ``tradewind.`` -> the names that are there.

``Name=attribute`` where ours is called otherwise; ``Name=`` where the name is the module itself.
"""

from __future__ import annotations

from typing import Final

PLACES: Final[dict[str, str]] = {
    "compat.standins.async_operator": "BaseAsyncOperator",
    "compat.standins.asynchronous": "get_async_connection get_async_extra_dejson get_async_hook",
    "compat.standins.calling": (
        "AIRFLOW_VAR_NAME_FORMAT_MAPPING AirflowParsingContext DEFAULT_FORMAT_PREFIX ENV_VAR_FORMAT_PREFIX "
        "ExecutionCallableRunner KeywordParameters context_to_airflow_vars determine_kwargs get_parsing_context "
        "is_async_callable make_kwargs_callable unwrap_callable unwrap_partial"
    ),
    "compat.standins.collections": (
        "ThreadSafeDict as_flattened_list at_most_one chunks exactly_one is_container merge_dicts partition "
        "prevent_duplicates prune_dict"
    ),
    "compat.standins.conf": "AIRFLOW_CONFIG AIRFLOW_HOME DAGS_FOLDER PLUGINS_FOLDER conf get_airflow_home",
    "compat.standins.constants": (
        "CONN_ID_MAX_LEN DEFAULT_EMAIL_ON_FAILURE DEFAULT_EMAIL_ON_RETRY DEFAULT_EXECUTOR "
        "DEFAULT_IGNORE_FIRST_DEPENDS_ON_PAST DEFAULT_OWNER DEFAULT_POOL_NAME DEFAULT_POOL_SLOTS "
        "DEFAULT_PRIORITY_WEIGHT DEFAULT_QUEUE DEFAULT_RETRIES DEFAULT_RETRY_DELAY DEFAULT_TASK_EXECUTION_TIMEOUT "
        "DEFAULT_TRIGGER_RULE DEFAULT_WAIT_FOR_PAST_DEPENDS_BEFORE_SKIPPING DagRunTriggeredByType IntermediateTIState "
        "JobState MAX_RETRY_DELAY NEVER_EXPIRE TAG_MAX_LEN TRIGGER_FAIL_REPR TerminalTIState TriggerFailureReason "
        "XCOM_LOGICAL_DATE_ISO context_copy_partial context_merge cron_presets datetime_to_nano from_timestamp"
    ),
    "compat.standins.database": (
        "AlreadyRunningBackfill AssetActive AssetAliasModel AssetDagRunQueue AssetModel AssetPartitionDagRun "
        "AssetStateStoreModel AssetWatcherModel AsyncSession Backfill BackfillDagRun BackfillDagRunExceptionReason "
        "Base CachedDBDagBag CallbackDefinitionProtocol CallbackKey CallbackType ConnectionTestKey "
        "ConnectionTestRequest ConnectionTestState DBDagBag DagBag DagBundleModel DagCode DagFavorite DagModel "
        "DagNonPeriodicScheduleException DagOwnerAttributes DagPriorityParsingRequest DagProcessorCallback DagRunNote "
        "DagScheduleAssetAliasReference DagScheduleAssetNameReference DagScheduleAssetReference "
        "DagScheduleAssetUriReference DagTag DagVersion DagWarning DagWarningType DagWriteMetadata DbCallbackRequest "
        "Deadline DeadlineReferenceType ExecutorCallback FernetFieldsMixin FernetProtocol FileLoadStat HITLDetail "
        "HITLDetailHistory HITLDetailPropertyMixin ID_LEN ImportPathCallbackDefProtocol "
        "ImportPathExecutorCallbackDefProtocol InconsistentDataInterval InvalidBackfillConf InvalidBackfillDate "
        "InvalidBackfillDateRange InvalidBackfillDirection InvalidReprocessBehavior JSONExtract Job "
        "LazyXComSelectSequence Log LogTemplate NEW_SESSION NoBackfillRunsToCreate NonScopedSession NotFullyPopulated "
        "OutletEventPayload ParseImportError PartitionedAssetKeyLog Pool PoolStats ReferenceMixin ReferenceModels "
        "RenderedTaskInstanceFields ReprocessBehavior RevokedToken SchedulerDictOfListsExpandInput "
        "SchedulerExpandInput SchedulerListOfDictsExpandInput SchedulerMappedArgument SerializedDagModel Session "
        "SkipDBTestsSession StringID TISchedulingDecision TaskInletAssetReference TaskInstanceDependencies "
        "TaskInstanceHistory TaskInstanceNote TaskMap TaskMapVariant TaskOutletAssetReference TaskReschedule "
        "TaskStateStoreModel Team Trigger TriggererCallback UnknownActiveBackfills XCOM_RETURN_KEY XComModel "
        "async_engine clear_task_instances create_session create_session_async expand_alias_to_assets provide_session "
        "retry_db_transaction"
    ),
    "compat.standins.decorated": (
        "DecoratedMappedOperator DecoratedOperator Task get_unique_task_id result task_decorator_factory"
    ),
    "sdk.mail": "build_mime_message get_email_address_list send_email send_email_smtp send_mime_email",
    "compat.standins.exceptions": (
        "AirflowBadRequest AirflowClearRunningTaskException AirflowConfigException AirflowDagDuplicatedIdException "
        "AirflowFileParseException AirflowInactiveAssetInInletOrOutletException AirflowInternalRuntimeError "
        "AirflowOptionalProviderFeatureException AirflowProviderDeprecationWarning AirflowRuntimeError "
        "AirflowSecretsBackendAccessDenied AirflowTimetableInvalid AirflowUnsupportedFileTypeException "
        "ConnectionNotUnique DagCodeNotFound DagNotFound DagNotPartitionedError DagRunAlreadyExists DagRunNotFound "
        "DagRunTriggerException DagRunTypeNotAllowed DeserializationError DeserializingResultError "
        "FailFastDagInvalidTriggerRule FileSyntaxError InvalidPartitionKeyError InvalidStatsNameException "
        "NodeNotFound NotMapped PodMutationHookException PodReconciliationError PoolNotFound RemovedInAirflow4Warning "
        "SerializationError TaskAlreadyInTaskGroup TaskAlreadyRunningError TaskInstanceNotFound TaskNotFound "
        "UnknownExecutorException UnmappableXComTypePushed VariableNotUnique XComForMappingNotPushed"
    ),
    "compat.standins.facets": (
        "AccessView AssetAliasDetails AssetDetails BaseFacet Column ColumnLineageDatasetFacet Dataset DatasetFacet "
        "DocumentationDatasetFacet Error ErrorMessageRunFacet ExternalQueryRunFacet ExtractionErrorRunFacet Fields "
        "File Identifier InputDataset InputField LifecycleStateChange LifecycleStateChangeDatasetFacet OutputDataset "
        "OutputStatisticsOutputDatasetFacet PreviousIdentifier RunFacet SQLJobFacet SchemaDatasetFacet "
        "SchemaDatasetFacetFields SymlinksDatasetFacet Table Tag User create_no_op default_if_none "
        "get_openlineage_facets_with_sql inject_parent_job_information_into_emr_serverless_properties=unchanged "
        "inject_parent_job_information_into_glue_arguments=unchanged "
        "inject_parent_job_information_into_spark_properties=unchanged "
        "inject_transport_information_into_emr_serverless_properties=unchanged "
        "inject_transport_information_into_glue_arguments=unchanged "
        "inject_transport_information_into_spark_properties=unchanged require_openlineage_version "
        "require_provider_version"
    ),
    "compat.standins.flags": (
        "AIRFLOW_V_3_0_PLUS AIRFLOW_V_3_1_3_PLUS AIRFLOW_V_3_1_PLUS AIRFLOW_V_3_2_PLUS AIRFLOW_V_3_3_PLUS "
        "AIRFLOW_V_3_4_PLUS get_base_airflow_version_tuple"
    ),
    "compat.standins.hints": (
        "DagStateChangeCallback EdgeInfoType OutletEventAccessorProtocol OutletEventAccessorsProtocol ScheduleArg "
        "ScheduleInterval TIKeyProtocol TaskStateChangeCallback TaskStateChangeCallbackAttrType WeightRuleParam "
        "WeightRuleProtocol"
    ),
    "compat.standins.importing": (
        "DeprecatedImportWarning add_deprecated_classes getattr_with_deprecation import_string is_valid_dotpath "
        "iter_namespace qualname"
    ),
    "compat.standins.lineage": (
        "AssetLineageInfo ExtraLineageInfo HookLineage HookLineageCollector HookLineageReader MAX_COLLECTED_ASSETS "
        "MAX_COLLECTED_EXTRA NoOpCollector get_hook_lineage_collector hook= lineage="
    ),
    "compat.standins.machine": (
        "IS_WINDOWS TimeoutPosix=timeout execute_in_subprocess execute_in_subprocess_with_kwargs get_host_ip_address "
        "get_hostname getfqdn getuser is_tty patch_environ timeout"
    ),
    "compat.standins.manager": "DialectInfo HookInfo ProviderInfo ProvidersManager ProvidersManagerTaskRuntime",
    "compat.standins.masking": "amask_secret mask_secret redact",
    "compat.standins.observability": (
        "Stats decr gauge incr initialize normalize_name_for_stats timer timing trace=Trace"
    ),
    "compat.standins.policies": "get_airflow_context_vars pod_mutation_hook",
    "compat.standins.resumable": "ResumableJobMixin",
    "compat.standins.scripts": "_SERIALIZERS write_python_script",
    "compat.standins.secrets": (
        "BaseSecretsBackend CONN_ENV_PREFIX DEFAULT_SECRETS_SEARCH_PATH EnvironmentVariablesBackend VAR_ENV_PREFIX"
    ),
    "compat.standins.smooth": "SmoothOperator",
    "compat.standins.storage": "ObjectStoragePath ObjectStore Properties attach get_fs has_fs",
    "compat.standins.texts": (
        "ANSI_ESCAPE CAMELCASE_TO_SNAKE_CASE_REGEX GROUP_KEY_REGEX KEY_REGEX TRUE_LIKE_VALUES XComDecoder XComEncoder "
        "ask_yesno convert_camel_to_snake get_random_string md5 parse_template_string remove_escape_codes "
        "render_template render_template_as_native render_template_to_string to_boolean validate_group_key "
        "validate_key"
    ),
    "compat.standins.unset": "ArgNotSet SET_DURING_EXECUTION SetDuringExecution is_arg_set",
    "compat.standins.weights": (
        "CpuResource DB_SAFE_MAXIMUM DB_SAFE_MINIMUM DiskResource EB GB GpuResource MB PB RamResource Resource "
        "Resources TB db_safe_priority"
    ),
    "compat.standins.xcom": "BaseXCom TaskInstanceKey XCom resolve_xcom_backend",
    "compat.standins.yaml": "dump safe_load",
    "compat.timezone": "coerce_datetime convert_to_utc datetime make_naive parse timezone= utc utcnow",
    "compat.version": "__version__=AIRFLOW_VERSION version=AIRFLOW_VERSION",
    "errors": "AirflowDagCycleException=DagCycle DuplicateTaskIdFound=DuplicateTaskId",
    "plugins.base": "AirflowPlugin",
    "plugins.hooks": "hookimpl=listener",
    "plugins.policies": "AirflowClusterPolicyError AirflowClusterPolicySkipDag AirflowClusterPolicyViolation",
    "sdk.aftercare": "TaskRunnerMarker",
    "sdk.assets.decorator": "asset",
    "sdk.assets.definitions": (
        "Asset AssetAccessControl AssetAlias AssetAll AssetAny AssetBooleanCondition=AssetCondition AssetNameRef "
        "AssetRef AssetUriRef AssetWatcher BaseAsset Model"
    ),
    "sdk.assets.events": "AssetEvent",
    "sdk.assets.metadata": "Metadata",
    "sdk.callback": "AsyncCallback Callback SyncCallback",
    "sdk.connection": "BaseHook Connection ConnectionAccessor",
    "sdk.context_values": "Context",
    "sdk.current": "get_current_context",
    "sdk.dag": "DAG",
    "sdk.dag_decorator": "dag",
    "sdk.dag_run": "DagRun DagRunProtocol=DagRun",
    "sdk.deadline": (
        "AverageRuntimeDeadline BaseDeadlineReference DagRunLogicalDateDeadline DagRunQueuedAtDeadline DeadlineAlert "
        "DeadlineReference FixedDatetimeDeadline VariableInterval deadline_reference"
    ),
    "sdk.edges": "DAGNode=Node DependencyMixin=Node EdgeModifier=Label Label chain chain_linear cross_downstream",
    "sdk.exceptions": (
        "AirflowException AirflowFailException AirflowNotFoundException AirflowRescheduleException "
        "AirflowSensorTimeout AirflowSkipException AirflowTaskTerminated=TaskTerminated AirflowTaskTimeout "
        "DownstreamTasksSkipped ParamValidationError TaskAwaitingInput TaskDeferralError TaskDeferralTimeout "
        "TaskDeferred XComNotFound"
    ),
    "sdk.expand_input": "MappedArgument",
    "sdk.hooks.filesystem": "FSHook",
    "sdk.hooks.package_index": "PackageIndexHook",
    "sdk.hooks.subprocess": "SubprocessHook SubprocessResult",
    "sdk.lazy_sequence": "LazyXComSequence",
    "sdk.literals": "literal",
    "sdk.macros": "datetime_diff_for_humans dateutil ds_add ds_format json macros= random time timedelta uuid",
    "sdk.mapped_group": "MappedTaskGroup",
    "sdk.mapped_operator": "MappedOperator OperatorPartial",
    "sdk.notifier": "BaseNotifier",
    "sdk.operator": "AbstractOperator=BaseOperator BaseOperator BaseOperatorMeta=OperatorMeta",
    "sdk.operator_links": "BaseOperatorLink ExternalDagLink TriggerDagRunLink",
    "sdk.operators.bash": "BashOperator",
    "sdk.operators.branch": "BaseBranchOperator BranchMixIn BranchPythonOperator",
    "sdk.operators.datetime_branch": "BranchDateTimeOperator target_times_as_dates",
    "sdk.operators.empty": "EmptyOperator",
    "sdk.operators.external_python": "BranchExternalPythonOperator ExternalPythonOperator",
    "sdk.operators.hitl": (
        "ApprovalOperator HITLBranchOperator HITLEntryOperator HITLOperator HITLRejectException HITLTimeoutError "
        "HITLTriggerEventError HITLUser"
    ),
    "sdk.operators.latest_only": "LatestOnlyOperator",
    "sdk.operators.python": "PythonOperator",
    "sdk.operators.short_circuit": "ShortCircuitOperator",
    "sdk.operators.trigger_dagrun": "DagIsPaused TriggerDagRunOperator XCOM_RUN_ID",
    "sdk.operators.virtualenv": "BranchPythonVirtualenvOperator PythonVirtualenvOperator",
    "sdk.operators.weekday": "BranchDayOfWeekOperator",
    "sdk.params": "DagParam Param ParamsDict",
    "sdk.retry_policy": "ExceptionRetryPolicy ExceptionSpec RetryAction RetryDecision RetryPolicy RetryRule",
    "sdk.rules": "DagRunType TriggerRule WeightRule",
    "sdk.sensors.base": "BaseSensorOperator PokeReturnValue poke_mode_only",
    "sdk.sensors.bash": "BashSensor",
    "sdk.sensors.external_errors": (
        "AirflowExternalTaskSensorException DuplicateStateError ExternalDagDeletedError ExternalDagFailedError "
        "ExternalDagNotFoundError ExternalTaskFailedError ExternalTaskGroupFailedError ExternalTaskGroupNotFoundError "
        "ExternalTaskNotFoundError"
    ),
    "sdk.sensors.external_task": "ExternalTaskMarker ExternalTaskSensor",
    "sdk.sensors.file": "FileSensor",
    "sdk.sensors.moments": (
        "DateTimeSensor DateTimeSensorAsync TimeDeltaSensor TimeDeltaSensorAsync TimeSensor TimeSensorAsync WaitSensor"
    ),
    "sdk.sensors.python": "PythonSensor",
    "sdk.sensors.weekday": "DayOfWeekSensor",
    "sdk.setup_teardown": "ContextWrapper context_wrapper",
    "sdk.skip": "SkipMixin XCOM_SKIPMIXIN_FOLLOWED XCOM_SKIPMIXIN_KEY XCOM_SKIPMIXIN_SKIPPED",
    "sdk.states": "DagRunState State TaskInstanceState",
    "sdk.task_group": "TaskGroup",
    "sdk.task_group_decorator": "task_group",
    "sdk.task_instance": (
        "NOTSET RuntimeTaskInstance=RunningTask RuntimeTaskInstanceProtocol=RunningTask TaskInstance=RunningTask"
    ),
    "sdk.task_log": "LoggingMixin",
    "sdk.taskflow": "TaskDecorator setup task teardown",
    "sdk.triggers.base": (
        "BaseEventTrigger BaseTaskEndEvent BaseTrigger StartTriggerArgs TaskFailedEvent TaskSkippedEvent "
        "TaskSuccessEvent TriggerEvent"
    ),
    "sdk.triggers.external_task": "DagStateTrigger WorkflowTrigger",
    "sdk.triggers.file": "DirectoryFileDeleteTrigger FileDeleteTrigger FileTrigger",
    "sdk.triggers.hitl": "HITLTrigger HITLTriggerEventFailurePayload HITLTriggerEventSuccessPayload",
    "sdk.triggers.temporal": "DateTimeTrigger TimeDeltaTrigger",
    "sdk.variable": "Variable VariableAccessor",
    "sdk.weekday": "WeekDay",
    "sdk.weights": "PriorityWeightStrategy",
    "sdk.xcom_arg": "ConcatXComArg MapXComArg XComArg ZipXComArg",
    "timetables.asset": "AssetOrTimeSchedule AssetTriggeredTimetable PartitionedAssetTimetable PartitionedAtRuntime",
    "timetables.asset_cron": "CronPartitionTimetable",
    "timetables.asset_mappers": (
        "AllowedKeyMapper ChainMapper FixedKeyMapper IdentityMapper PartitionMapper ProductMapper RollupMapper"
    ),
    "timetables.asset_periods": (
        "FanOutMapper StartOfDayMapper StartOfHourMapper StartOfMonthMapper StartOfQuarterMapper StartOfWeekMapper "
        "StartOfYearMapper"
    ),
    "timetables.asset_windows": (
        "DayWindow HourWindow MinimumCount MonthWindow QuarterWindow SegmentWindow WaitForAll WaitPolicy WeekWindow "
        "Window YearWindow"
    ),
    "timetables.base": "BaseTimetable=Timetable Timetable",
    "timetables.events": "EventsTimetable",
    "timetables.interval": "CronDataIntervalTimetable DeltaDataIntervalTimetable",
    "timetables.multiple": "MultipleCronTriggerTimetable",
    "timetables.simple": "ContinuousTimetable NullTimetable OnceTimetable",
    "timetables.ticks": "Delta",
    "timetables.trigger": "CronTriggerTimetable DeltaTriggerTimetable",
    "timetables.values": "DagRunInfo DataInterval TimeRestriction",
}
