"""What concerns the whole process: forks, and the telemetry of libraries."""
