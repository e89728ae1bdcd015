"""Process-wide concerns: forks, and the telemetry of libraries."""
