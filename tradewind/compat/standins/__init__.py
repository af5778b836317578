"""What stands for the small things that Airflow offers beside its operators? One module per kind, loaded when used."""
