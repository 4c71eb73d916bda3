"""From recorded logs to a posterior over dynamics parameters: read, cut, fit, judge."""
