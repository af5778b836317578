"""Commands that belong to the installation as a whole: metadata DB, what operators set, configuration, standalone."""
