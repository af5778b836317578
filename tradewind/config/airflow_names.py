"""Which options does Apache Airflow have? Names only (3.3, and those of 2 that still stand in people's files).

A name found here is accepted with a warning when it means nothing to Tradewind, so that an ``airflow.cfg`` or an
environment made for Airflow can be kept. Loaded only when an option is met that is not ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

AIRFLOW_OPTIONS: Final[Mapping[str, str]] = {
    "admin": """
        hide_sensitive_variable_fields sensitive_variable_fields
    """,
    "api": """
        access_control_allow_credentials access_control_allow_headers access_control_allow_methods
        access_control_allow_origins access_logfile auth_backend auth_backends auto_refresh_interval base_url
        client_ssl_cert client_ssl_key client_use_public_certs dag_cache_size dag_cache_ttl default_wrap
        enable_experimental_api enable_swagger_ui enable_xcom_deserialize_support expose_config expose_stacktrace
        fallback_page_limit google_key_path google_oauth2_audience grid_view_sorting_order hide_paused_dags_by_default
        host instance_name log_config log_fetch_timeout_sec log_stream_buffer_size maximum_page_limit port
        require_confirmation_dag_change secret_key server_type ssl_ca_file ssl_cert ssl_cert_reqs ssl_key theme
        worker_refresh_batch_size worker_refresh_interval worker_timeout workers
    """,
    "api_auth": """
        jwt_algorithm jwt_audience jwt_cli_expiration_time jwt_expiration_time jwt_issuer jwt_kid jwt_leeway
        jwt_private_key_path jwt_secret trusted_jwks_url
    """,
    "atlas": """
        host password port sasl_enabled username
    """,
    "aws": """
        cloudwatch_task_handler_json_serializer session_factory
    """,
    "aws_batch_executor": """
        conn_id
    """,
    "aws_ecs_executor": """
        conn_id
    """,
    "callbacks": """
        callback_execution_timeout
    """,
    "celery": """
        broker_url celery_app_name celery_config_options default_queue extra_celery_config flower_basic_auth flower_host
        flower_port flower_url_prefix operation_timeout pool result_backend result_backend_sqlalchemy_engine_options
        ssl_active ssl_cacert ssl_cert ssl_key stalled_task_timeout sync_parallelism task_acks_late
        task_adoption_timeout task_publish_max_retries task_track_started worker_autoscale worker_concurrency
        worker_enable_remote_control worker_log_server_port worker_precheck worker_prefetch_multiplier worker_umask
    """,
    "celery_broker_transport_options": """
        sentinel_kwargs visibility_timeout
    """,
    "celery_kubernetes_executor": """
        kubernetes_queue
    """,
    "cli": """
        api_client endpoint_url
    """,
    "common.io": """
        state_store_objectstorage_compression state_store_objectstorage_path state_store_objectstorage_threshold
        xcom_objectstorage_compression xcom_objectstorage_path xcom_objectstorage_threshold
    """,
    "connection_test": """
        max_concurrency reaper_interval timeout
    """,
    "core": """
        allow_double_dot_in_ids allowed_deserialization_classes allowed_deserialization_classes_regexp
        asset_manager_class asset_manager_kwargs auth_manager base_log_folder check_migrations check_slas
        colored_console_log compress_serialized_dags daemon_umask dag_concurrency dag_discovery_safe_mode
        dag_file_processor_timeout dag_ignore_file_syntax dag_processor_manager_log_location
        dag_run_conf_overrides_params dagbag_import_error_traceback_depth dagbag_import_error_tracebacks
        dagbag_import_timeout dags_are_paused_at_creation dags_folder database_access_isolation default_impersonation
        default_pool_task_slot_count default_task_execution_timeout default_task_queue default_task_retries
        default_task_retry_delay default_task_weight_rule default_timezone donot_pickle enable_xcom_pickling
        encrypt_s3_logs execute_tasks_new_python_interpreter execution_api_server_url executor fab_logging_level
        fernet_key hide_sensitive_var_conn_fields hide_sensitive_variable_fields hostname_callable
        internal_api_secret_key internal_api_url killed_task_cleanup_time lazy_discover_providers lazy_load_plugins
        load_default_connections load_examples log_filename_template log_format log_processor_filename_template
        logging_config_class logging_level max_active_runs_per_dag max_active_tasks_per_dag
        max_consecutive_failed_dag_runs_per_dag max_db_retries max_map_length max_num_rendered_ti_fields_per_task
        max_task_retry_delay max_templated_field_length might_contain_dag_callable min_serialized_dag_fetch_interval
        min_serialized_dag_update_interval mp_forkserver_preload mp_start_method multi_team non_pooled_task_slot_count
        num_dag_runs_to_retain_rendered_fields parallelism plugins_folder remote_base_log_folder remote_log_conn_id
        remote_logging rerun_with_latest_version security sensitive_var_conn_names sensitive_variable_fields
        simple_auth_manager_all_admins simple_auth_manager_passwords_file simple_auth_manager_users simple_log_format
        sql_alchemy_conn sql_alchemy_max_overflow sql_alchemy_pool_pre_ping sql_alchemy_pool_recycle
        sql_alchemy_pool_size sql_alchemy_schema sql_engine_encoding statsd_host statsd_on statsd_port statsd_prefix
        store_dag_code store_serialized_dags strict_asset_uri_validation task_log_reader task_runner
        task_success_overtime team_name_cache_ttl test_connection unit_test_mode worker_precheck xcom_backend
    """,
    "dag_processor": """
        bundle_refresh_check_interval dag_bundle_config_list dag_bundle_storage_path dag_file_processor_timeout
        dag_version_inflation_check_level disable_bundle_versioning file_parsing_sort_mode health_check_threshold
        max_callbacks_per_loop min_file_process_interval parsing_pre_import_modules parsing_processes
        print_stats_interval refresh_interval stale_bundle_cleanup_age_threshold stale_bundle_cleanup_interval
        stale_bundle_cleanup_min_versions stale_dag_threshold
    """,
    "dask": """
        cluster_address tls_ca tls_cert tls_key
    """,
    "database": """
        alembic_ini_file_path check_migrations external_db_managers load_default_connections max_db_retries
        migration_batch_size sql_alchemy_conn sql_alchemy_conn_async sql_alchemy_connect_args
        sql_alchemy_connect_args_async sql_alchemy_engine_args sql_alchemy_max_overflow sql_alchemy_pool_enabled
        sql_alchemy_pool_pre_ping sql_alchemy_pool_recycle sql_alchemy_pool_size sql_alchemy_schema
        sql_alchemy_session_maker sql_engine_collation_for_ids sql_engine_encoding
    """,
    "datasets": """
        strict_dataset_uri_validation
    """,
    "debug": """
        fail_fast
    """,
    "edge": """
        api_enabled api_url
    """,
    "elasticsearch": """
        end_of_log_mark frontend host host_field index_patterns json_fields json_format log_id_template offset_field
        target_index write_stdout write_to_es
    """,
    "elasticsearch_configs": """
        use_ssl verify_certs
    """,
    "email": """
        default_email_on_failure default_email_on_retry email_backend email_conn_id from_email html_content_template
        ssl_context subject_template
    """,
    "execution_api": """
        jwt_audience jwt_expiration_time otel_trace_propagation
    """,
    "fab": """
        access_denied_message auth_backends auth_rate_limit auth_rate_limited config_file enable_proxy_fix
        expose_hostname navbar_color navbar_text_color proxy_fix_x_for proxy_fix_x_host proxy_fix_x_port
        proxy_fix_x_prefix proxy_fix_x_proto secret_key session_backend session_lifetime_minutes update_fab_perms
    """,
    "github_enterprise": """
        api_rev
    """,
    "hive": """
        default_hive_mapred_queue
    """,
    "kerberos": """
        ccache forwardable include_ip keytab kinit_path principal reinit_frequency
    """,
    "kubernetes": """
        in_cluster namespace worker_container_repository worker_container_tag
    """,
    "kubernetes_executor": """
        api_client_retry_configuration delete_option_kwargs delete_worker_pods delete_worker_pods_on_failure
        enable_tcp_keepalive in_cluster kube_client_request_args logs_task_metadata multi_namespace_mode
        multi_namespace_mode_namespace_list namespace pod_template_file ssl_ca_cert tcp_keep_cnt tcp_keep_idle
        tcp_keep_intvl verify_ssl worker_container_repository worker_container_tag worker_pods_creation_batch_size
        worker_pods_queued_check_interval
    """,
    "ldap": """
        uri
    """,
    "lineage": """
        backend max_assets_per_collector max_extras_per_collector
    """,
    "local_kubernetes_executor": """
        kubernetes_queue
    """,
    "logging": """
        base_log_folder callsite_parameters celery_logging_level celery_stdout_stderr_separation
        color_log_error_keywords color_log_warning_keywords colored_console_log
        dag_processor_child_process_log_directory dag_processor_log_format dag_processor_log_target delete_local_logs
        encrypt_s3_logs extra_logger_names fab_logging_level file_task_handler_new_file_permissions
        file_task_handler_new_folder_permissions google_key_path interleave_timestamp_parser json_logs
        log_filename_template log_format log_formatter_class log_timestamp_format logging_config_class logging_level
        min_length_masked_secret namespace_levels remote_base_log_folder remote_log_conn_id remote_logging
        remote_task_handler_kwargs secret_mask_adapter simple_log_format task_log_prefix_template task_log_reader
        trigger_log_server_port uvicorn_logging_level worker_log_server_port
    """,
    "mesos": """
        master
    """,
    "metrics": """
        legacy_names_on metrics_allow_list metrics_block_list otel_debugging_on otel_host otel_interval_milliseconds
        otel_on otel_port otel_prefix otel_service otel_ssl_active stat_name_handler statsd_custom_client_path
        statsd_datadog_enabled statsd_datadog_metrics_tags statsd_datadog_tags statsd_disabled_tags statsd_host
        statsd_influxdb_enabled statsd_ipv6 statsd_on statsd_port statsd_prefix
    """,
    "openlineage": """
        disabled namespace transport
    """,
    "opensearch": """
        end_of_log_mark host host_field index_patterns index_patterns_callable json_fields json_format log_id_template
        offset_field password port username write_stdout
    """,
    "opensearch_configs": """
        ca_certs http_compress ssl_assert_hostname ssl_show_warn use_ssl verify_certs
    """,
    "operators": """
        allow_illegal_arguments default_cpus default_deferrable default_disk default_gpus default_owner default_queue
        default_ram
    """,
    "profiling": """
        memray_detailed_tracing memray_trace_components
    """,
    "scheduler": """
        allow_trigger_in_future allowed_run_id_pattern catchup_by_default child_process_log_directory
        create_cron_data_intervals create_delta_data_intervals dag_dir_list_interval dag_folder
        dag_stale_not_seen_duration dagrun_metrics_interval enable_health_check enable_tracemalloc
        file_parsing_sort_mode ignore_first_depends_on_past_by_default job_heartbeat_sec local_task_job_heartbeat_sec
        max_callbacks_per_loop max_dagruns_per_loop_to_schedule max_dagruns_to_create_per_loop max_threads
        max_tis_per_query min_file_process_interval num_runs num_stuck_in_queued_retries only_idle
        orphaned_tasks_check_interval parsing_cleanup_interval parsing_pre_import_modules parsing_processes
        partition_mapper_max_downstream_keys pool_metrics_interval print_stats_interval processor_poll_interval
        running_metrics_interval schedule_after_task_execution scheduler_health_check_server_host
        scheduler_health_check_server_port scheduler_health_check_threshold scheduler_heartbeat_sec
        scheduler_idle_sleep_time scheduler_zombie_task_threshold standalone_dag_processor statsd_host statsd_on
        statsd_port task_instance_heartbeat_sec task_instance_heartbeat_timeout
        task_instance_heartbeat_timeout_detection_interval task_queued_timeout task_queued_timeout_check_interval
        ti_metrics_interval trigger_timeout_check_interval use_job_schedule use_row_level_locking
        zombie_detection_interval
    """,
    "sdk": """
        coordinators queue_to_coordinator
    """,
    "secrets": """
        backend backend_kwargs cache_ttl_seconds use_cache
    """,
    "sensors": """
        default_timeout
    """,
    "sentry": """
        before_send sentry_dsn sentry_on
    """,
    "smtp": """
        smtp_host smtp_mail_from smtp_password smtp_port smtp_retry_limit smtp_ssl smtp_starttls smtp_timeout smtp_user
        ssl_context
    """,
    "standard": """
        venv_install_method
    """,
    "state_store": """
        backend clear_on_success default_retention_days max_value_storage_bytes state_cleanup_batch_size
    """,
    "traces": """
        otel_debug_traces_on otel_debugging_on otel_host otel_on otel_port otel_service otel_ssl_active
        task_runner_flush_timeout_milliseconds
    """,
    "triggerer": """
        blocked_main_thread_warning_threshold capacity job_heartbeat_sec max_trigger_to_select_per_loop on_kill_timeout
        queues queues_enabled runner_health_check_threshold shared_stream_ack_timeout shared_stream_cohort_grace_period
        shared_stream_subscriber_queue_size triggerer_health_check_threshold
    """,
    "webserver": """
        access_logfile access_logformat allow_raw_html_descriptions allowed_payload_size analytics_id analytics_tool
        audit_view_excluded_events audit_view_included_events auth_backend authenticate auto_refresh_interval base_url
        caching_hash_method config_file cookie_samesite cookie_secure dag_default_view dag_orientation
        default_dag_run_display_number default_ui_timezone default_wrap enable_proxy_fix error_logfile expose_config
        expose_hostname expose_stacktrace force_log_out_after grid_view_sorting_order hide_paused_dags_by_default
        instance_name log_animation_speed log_auto_tailing_offset log_fetch_delay_sec log_fetch_timeout_sec
        max_form_memory_size max_form_parts navbar_color navbar_text_color page_size proxy_fix_x_for proxy_fix_x_host
        proxy_fix_x_port proxy_fix_x_prefix proxy_fix_x_proto rbac reload_on_plugin_change
        require_confirmation_dag_change run_internal_api secret_key session_backend session_lifetime_days
        session_lifetime_minutes show_recent_stats_for_completed_runs threads update_fab_perms warn_deployment_exposure
        web_server_host web_server_master_timeout web_server_port web_server_ssl_cert web_server_ssl_key
        web_server_worker_timeout worker_class worker_concurrency worker_refresh_batch_size worker_refresh_interval
        workers x_frame_enabled
    """,
    "workers": """
        execution_api_retries execution_api_retry_wait_max execution_api_retry_wait_min execution_api_timeout
        max_failed_heartbeats min_heartbeat_interval missing_dag_retries missing_dag_retry_delay secrets_backend
        secrets_backend_kwargs socket_cleanup_timeout state_store_backend
    """,
}
"""Section -> the names of its options, separated by blanks."""
