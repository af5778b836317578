"""Do runs keep the DAG folder that they began with, wherever they are run?"""
