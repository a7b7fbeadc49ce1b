"""When pipelines run by themselves: by the clock, by drift, by falling performance, by new data."""
