"""Why is it not running, or why did it die? The parts of ``scheduler.why``: sentences about runs, tasks and deaths."""
