"""The parts of the nightly flights ETL: what the source holds, how it is cleaned, where it is loaded, what is reported.

Plain Python without a scheduler in it: each part can be called and tested by itself.
"""
